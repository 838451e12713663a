"""A workload some of whose members end their process, hang, leave children behind or report nonsense."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from search_spaces import Config, build_space
from workloads.contract import Device, Fidelity, Objective

DEEDS = ("none", "exit", "fault", "leave", "interrupt", "hang", "text", "fork")
SPACE = {
    "parameters": {
        "rate": {"type": "float", "low": 0.1, "high": 1.0, "mutable": True},
        "deed": {"type": "categorical", "choices": list(DEEDS)},
    }
}


class Deadly:
    """Halves a loss in every step; what a member does besides is fixed at its birth.

    Args:
        folder: where members that fork note their children.
    """

    def __init__(self, folder: str, **given: Any) -> None:
        del given
        self.space = build_space(SPACE)
        self.objectives = (Objective("loss"),)
        self.fidelity = Fidelity("step", largest=100)
        self.folder = folder

    def start(self, config: Config, seed: int, device: Device) -> _Session:
        del seed, device
        return _Session(config, Path(self.folder))


class _Session:
    def __init__(self, config: Config, folder: Path) -> None:
        self._config, self._folder, self._loss = config, folder, 1.0

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
            case "fork":
                child = subprocess.Popen(["sleep", "3600"])
                (self._folder / str(child.pid)).touch()
        return {"loss": self._loss}

    def configure(self, config: Config) -> None:
        self._config = config

    def state(self) -> Any:
        return {"loss": self._loss}

    def load(self, state: Any) -> None:
        self._loss = state["loss"]
