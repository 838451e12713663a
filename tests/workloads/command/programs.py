"""Programs that tests train, and workloads of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search_spaces import SearchSpace, build_space
from workloads.command import Command
from workloads.contract import Device

SCRIPTS = Path(__file__).parent / "scripts"
CALL = ["{python}", "-I", "-S", str(SCRIPTS / "walk.py"), "{seed}", "{age}", "{units}"]
"""A program that takes the hyperparameters, the folder for its checkpoint, and that of the one before."""
CONFIG = {"rate": 0.1, "kind": "a"}


def device(folder: Path) -> Device:
    """Where sessions keep everything below ``folder``."""
    return Device(scratch=folder / "scratch", logs=folder / "logs", unit="trial-3")


def space() -> SearchSpace:
    rate = {"type": "float", "low": 0.01, "high": 0.5, "mutable": True}
    return build_space({"parameters": {"rate": rate, "kind": {"type": "categorical", "choices": ["a", "b"]}}})


def made(**changes: Any) -> Command:
    """A workload whose program has checkpoints, but for ``changes``."""
    given: dict[str, Any] = {
        "space": space(),
        "command": [*CALL, "{hyperparameters}", "{save}", ["{load}"]],
        "objectives": ["loss"],
        "fidelity": {"unit": "epoch", "largest": 100},
        "grace": 0.5,
    }
    return Command(**{**given, **changes})


def shell(script: str, **changes: Any) -> Command:
    """A workload of a shell script without hyperparameters that it looks at."""
    environment = {"RATE": "{rate}", "KIND": "{kind}"}
    return made(command=["sh", "-c", script, "sh"], environment=environment, **changes)
