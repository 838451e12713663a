"""Digits whose member with the second seed breaks the GPU: an index out of bounds in a kernel."""

from __future__ import annotations

from typing import Any

import torch

from orchestrator.randomness import user_seed
from search_spaces import Config
from workloads.contract import Device, Metrics, Session
from workloads.library.digits import Digits

SECOND = user_seed(0, "member", 1)


class AssertingDigits(Digits):
    """Digits, but the second member reads outside a tensor in its second interval of 20 steps."""

    def start(self, config: Config, seed: int, device: Device) -> Session:
        session = super().start(config, seed, device)
        return _Asserting(session, device) if seed == SECOND else session


class _Asserting:
    def __init__(self, session: Any, device: Device) -> None:
        self._session, self._device, self._config = session, device, dict(session.config)

    def advance(self, amount: int) -> Metrics:
        if self._session.age == 20:
            place = torch.tensor([10**6], device=self._device.name)
            torch.zeros(8, device=self._device.name)[place].sum().item()
        return self._session.advance(amount)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
