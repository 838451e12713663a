"""What a training algorithm is: how weights are updated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from workloads.contract import State
from workloads.knobs import Knob

Weights = Mapping[str, nn.Parameter]
"""What is trained, by name."""
RATE = "lr"
"""The option that every algorithm has; hyperparameters call it ``learning_rate``."""


@dataclass(frozen=True)
class Step:
    """What an algorithm can compute in one training step.

    Args:
        weights: what is trained.
        loss: of the step's batch with the present weights, ``()``; the same function at every call.
        key: of the member and the step, int64 ``()``; see ``workloads.torch.randomness``.
    """

    weights: Weights
    loss: Callable[[], Tensor]
    key: Tensor

    def gradient(self) -> Tensor:
        """Compute the loss's gradient, into the weights' ``grad``; the loss, ``()``."""
        loss = self.loss()
        for weight in self.weights.values():
            weight.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


class TrainingAlgorithm(ABC):
    """How the weights of a member are updated, with options that can change while training runs.

    Options are ``lr``, ``weight_decay``, ``momentum`` (the decay of the first moment, which Adam calls
    beta 1) and ``beta2``, as far as an algorithm has them, and its own.

    Attributes:
        name: the choice of the hyperparameter ``optimizer``.
        defaults: its options, with the values that hold where a workload sets none.
        moments: what it remembers of each weight, zero at first; none where an optimizer keeps its state.
        alone: why members cannot train as one program, a clause; empty: they can.
        one_process: why several processes cannot train a member, a clause; empty: they can.
    """

    name: str
    defaults: Mapping[str, float]
    moments: tuple[str, ...] = ()
    alone: str = ""
    one_process: str = ""

    @abstractmethod
    def make(self, weights: Weights) -> torch.optim.Optimizer:
        """The optimizer for one member; the caller puts the moments into its state, at zero."""

    @abstractmethod
    def configure(self, optimizer: torch.optim.Optimizer, options: Mapping[str, float]) -> None:
        """Let the optimizer go on with these options."""

    @abstractmethod
    def state(self, optimizer: torch.optim.Optimizer, weights: Weights) -> dict[str, Any]:
        """What it remembers, copied: ``optimizer``, by name of the weight, and maybe more.

        Options are not in it: they are the member's own, not the weights'.
        """

    @abstractmethod
    def load(self, optimizer: torch.optim.Optimizer, weights: Weights, state: State) -> None:
        """Go on from what :meth:`state` returned, with the present options; nothing is shared with it."""

    def check(self, key: str) -> None:  # noqa: B027 - most algorithms need nothing
        """Refuse an algorithm whose library is missing.

        Args:
            key: of the configuration, for the error.

        Raises:
            ConfigurationError: it is not installed.
        """

    def begin(self, optimizer: torch.optim.Optimizer, age: int) -> None:  # noqa: B027
        """Training goes on after ``age`` steps, which another member may have trained."""

    def step(self, optimizer: torch.optim.Optimizer, step: Step) -> Tensor:
        """Update the weights once; the loss before, ``()``."""
        loss = step.gradient()
        optimizer.step()
        return loss

    def evaluating(
        self, optimizer: torch.optim.Optimizer, weights: Iterable[nn.Parameter]
    ) -> AbstractContextManager[None]:
        """The context in which the weights are those to be judged; after it they are as they were."""
        del optimizer, weights
        return nullcontext()

    @property
    def own_options(self) -> dict[str, str]:
        """The options by the names of the hyperparameters that are this algorithm's alone."""
        names = {option: "learning_rate" if option == RATE else option for option in self.defaults}
        return {f"{self.name}_{name}": option for option, name in names.items()}


def options(**defaults: float) -> Mapping[str, float]:
    """An algorithm's options with their defaults."""
    return MappingProxyType(defaults)


def option_knob(option: str) -> Knob:
    """What an option may be; a space may leave it out."""
    high = 0.9999 if option in ("momentum", "beta2") else float("inf")
    low = 1e-12 if option in _DIVISORS else 0.0
    return Knob(mutable=True, low=low, high=high, optional=True)


_DIVISORS = ("smoothing", "interval")
