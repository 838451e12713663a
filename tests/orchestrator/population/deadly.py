"""A workload some of whose members end their process, hang or report nonsense."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

from search_spaces import Config, build_space
from workloads.contract import Device, Fidelity, Objective

DEEDS = ("none", "exit", "fault", "leave", "interrupt", "hang", "text")
SPACE = {
    "parameters": {
        "rate": {"type": "float", "low": 0.1, "high": 1.0, "mutable": True},
        "deed": {"type": "categorical", "choices": list(DEEDS)},
    }
}


class Deadly:
    """Halves a loss in every step; what a member does besides is fixed at its birth."""

    def __init__(self, **given: Any) -> None:
        del given
        self.space = build_space(SPACE)
        self.objectives = (Objective("loss"),)
        self.fidelity = Fidelity("step", largest=100)

    def start(self, config: Config, seed: int, device: Device) -> _Session:
        del seed, device
        return _Session(config)


class _Session:
    def __init__(self, config: Config) -> None:
        self._config, self._loss = config, 1.0

    def advance(self, amount: int) -> Any:
        self._loss *= 0.5**amount
        match self._config["deed"]:
            case "exit":
                os._exit(0)
            case "fault":
                ctypes.string_at(0)
            case "leave":
                sys.exit(3)
            case "interrupt":
                raise KeyboardInterrupt
            case "hang":
                time.sleep(3600)
            case "text":
                return "0.5"
        return {"loss": self._loss}

    def configure(self, config: Config) -> None:
        self._config = config

    def state(self) -> Any:
        return {"loss": self._loss}

    def load(self, state: Any) -> None:
        self._loss = state["loss"]
