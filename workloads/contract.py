"""What is trained or evaluated: the contract between workloads and the studies that run them.

What a workload or a session may offer besides is in :mod:`workloads.capabilities`.

A workload is a description that can be sent to another process; a session is one member or one trial in
training, living in one process. Nothing here knows of Ray, MLflow or Hydra.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from search_spaces import Config, ConfigurationError, SearchSpace

Metrics = Mapping[str, float]
State = Any
"""Nested ``dict``/``list``/``tuple`` of torch tensors, NumPy arrays, numbers, strings, booleans, None and
folders (:class:`workloads.folder.Folder`).
"""


@dataclass(frozen=True)
class Objective:
    """One quantity that a study optimises.

    Args:
        name: the metric's name, as the workload reports it.
        direction: whether smaller (``min``) or larger (``max``) values are better.
        reference: the worst value of interest, in the metric's own units and direction; None: inferred.
        bound: a constraint: values worse than this are infeasible, in the metric's own units; None: no
            constraint.
    """

    name: str
    direction: Literal["min", "max"] = "min"
    reference: float | None = None
    bound: float | None = None

    def __post_init__(self) -> None:
        if self.direction not in ("min", "max"):
            raise ConfigurationError("direction", "'min' or 'max'", self.direction)


@dataclass(frozen=True)
class Fidelity:
    """How much training a session can be given: whole ``unit`` s between ``smallest`` and ``largest``."""

    unit: str = "step"
    smallest: int = 1
    largest: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.smallest <= self.largest:
            raise ConfigurationError("fidelity", "1 <= smallest <= largest", (self.smallest, self.largest))


@dataclass(frozen=True)
class Device:
    """Where a session computes.

    Args:
        name: a torch device string.
        threads: CPU threads that it may use.
        memory: this process's share of the memory: of the GPU's, or of what is free on the machine.
        scratch: a folder for files that sessions keep while they live, on the run directory's storage; None:
            the system's folder for temporary files.
        logs: a folder for what sessions' programs print, a file for each ``unit``; None: it is not kept.
        unit: what is trained on it, such as ``trial-3``.
    """

    name: str = "cpu"
    threads: int = 1
    memory: float = 1.0
    scratch: Path | None = None
    logs: Path | None = None
    unit: str = "session"


class Session(Protocol):
    """One member or trial in training.

    Randomness comes from the session's own seed and its training age alone (counter-based streams), never
    from a generator whose state would have to travel: two sessions with the same seed that hold the same
    state go on identically, bit for bit on CPU.
    """

    def advance(self, amount: int) -> Metrics:
        """Train ``amount`` more units of fidelity and evaluate on validation data.

        Returns metrics by name in their own units and directions; every objective is among them.
        """
        ...

    def configure(self, config: Config) -> None:
        """Take over the mutable hyperparameters of a whole ``config`` from the next ``advance`` on.

        One that ``config`` lacks is inactive from now on, as if the session had been started without it.
        """
        ...

    def state(self) -> State:
        """Everything that training changes: weights, optimizer state, age.

        References are enough: whoever takes a state copies it at once (``workloads.state.take_state``).
        """
        ...

    def load(self, state: State) -> None:
        """Go on from ``state``, which another session with the same immutable hyperparameters may have made.

        The session keeps its own seed. ``state`` is a copy that may be kept, and ``configure`` follows with
        the session's own hyperparameters (``workloads.state.restore``).
        """
        ...


class Workload(Protocol):
    """What is trained: picklable, immutable, cheap to construct (data are loaded by ``start``)."""

    @property
    def space(self) -> SearchSpace: ...
    @property
    def objectives(self) -> tuple[Objective, ...]: ...
    @property
    def fidelity(self) -> Fidelity: ...

    def start(self, config: Config, seed: int, device: Device) -> Session:
        """A fresh session. ``seed`` fixes its initial weights and every random draw of its training."""
        ...


if not TYPE_CHECKING:  # which are to find misspelt names

    def __getattr__(name: str) -> Any:
        """The optional protocols, which users' code may import from here: earlier versions had them here."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module("workloads.capabilities"), name)
