"""A workload that fails in every way there is, as its configuration says."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from random import Random

from search_spaces import Config, SearchSpace
from workloads.contract import Device, Fidelity, Metrics, Objective, State

ACCIDENTS = ("none", "raises", "diverges", "mute", "hangs", "dies")

SPACE = {
    "parameters": {
        "x": {"type": "float", "low": -1.0, "high": 1.0},
        "y": {"type": "float", "low": -1.0, "high": 1.0},
    }
}
"""Harmless."""


class Troubled:
    """Minimise ``loss = x**2 + y**2 + 1 / age``, and ``cost = |x - 1|``; reports its process as ``pid``.

    Args:
        steps: at full fidelity.
        pause: seconds that a step takes.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective] | None = None,
        steps: int = 9,
        pause: float = 0.0,
    ) -> None:
        self.space = space
        self.objectives = (Objective("loss"),) if objectives is None else tuple(objectives)
        self.fidelity = Fidelity("step", largest=steps)
        self.pause = pause

    def start(self, config: Config, seed: int, device: Device) -> TroubledSession:
        return TroubledSession(config, self.pause)


class TroubledSession:
    def __init__(self, config: Config, pause: float, noise: float = 0.0) -> None:
        self.config, self.pause, self.age, self.noise = config, pause, 0, noise

    def advance(self, amount: int) -> Metrics:
        time.sleep(self.pause * amount)
        self.age += amount
        x, y = float(self.config["x"]), float(self.config["y"])
        loss = x**2 + y**2 + 1 / self.age + self.noise
        metrics = {"loss": loss, "cost": abs(x - 1), "pid": float(os.getpid())}
        return self._accident(str(self.config.get("accident", "none")), metrics)

    def _accident(self, accident: str, metrics: dict[str, float]) -> Metrics:
        if accident == "raises":
            raise RuntimeError("out of luck")
        if accident == "hangs":
            time.sleep(600)
        if accident == "hoards":
            self.hoard = [_block() for _ in range(80)]
        if accident == "dies":
            sys.stdout.write(f"dies at {self.age}\n")
            os._exit(1)
        if accident == "diverges":
            return {**metrics, "loss": float("nan")}
        return {"accuracy": 1.0} if accident == "mute" else metrics

    def configure(self, config: Config) -> None:
        self.config = config

    def state(self) -> State:
        return {"age": self.age}

    def load(self, state: State) -> None:
        self.age = state["age"]


class Noisy(Troubled):
    """Reports a loss that depends on the seed, too."""

    def start(self, config: Config, seed: int, device: Device) -> TroubledSession:
        return TroubledSession(config, self.pause, Random(seed).gauss(0.0, 0.1))


class Homesick(Troubled):
    """Cannot be made in another process.

    Args:
        home: the process in which it can.
    """

    def __init__(self, space: SearchSpace, home: int, steps: int = 9, pause: float = 0.0) -> None:
        super().__init__(space, None, steps, pause)
        if os.getpid() != home:
            raise RuntimeError(f"only at home\nnot in {os.getpid()}")


def _block() -> bytes:
    """100 MB that are really there, after a while in which somebody may notice."""
    time.sleep(0.02)
    return b"\1" * 100_000_000
