"""A workload whose worker process dies in the middle of training, as after an out-of-memory kill."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from search_spaces import Config
from workloads.base import Device, Metrics, Session
from workloads.digits import Digits


class FragileDigits(Digits):
    """Digits, but the worker that trains past step 30 first dies; once if it can leave a mark, else always.

    Args:
        marker: the file that shows that one has died; None: everybody dies.
    """

    def __init__(self, *arguments: Any, marker: str | None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.marker = marker

    def start(self, config: Config, seed: int, device: Device) -> Session:
        return _Fragile(super().start(config, seed, device), self.marker)


class _Fragile:
    def __init__(self, session: Any, marker: str | None) -> None:
        self._session, self._marker, self._trained = session, marker, 0

    def advance(self, amount: int) -> Metrics:
        self._trained += amount
        if self._trained >= 30 and not (self._marker and Path(self._marker).exists()):
            if self._marker:
                Path(self._marker).touch()
            os._exit(1)
        return self._session.advance(amount)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
