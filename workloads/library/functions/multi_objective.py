"""What the multi-objective test functions share: ``x1``, ``x2``, … in, ``f1``, ``f2``, … out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces import ConfigurationError, SearchSpace
from workloads.capabilities import Facts
from workloads.contract import Metrics, Objective
from workloads.library.functions.box import BoxFunction

Vector = NDArray[np.float64]


class MultiObjectiveFunction(BoxFunction):
    """A deterministic function of ``dimension`` numbers with several objectives, all minimised.

    Metrics: ``f1``, ``f2``, …, and ``g1``, ``g2``, … where it has constraints, which are bounded by 0.

    Args:
        space: floats called ``x1``, ``x2``, … within the function's bounds; None: all of its bounds.
        objectives: None: all, with the function's usual reference point.
        bounds: lowest and highest value of each number.
        reference: the usual reference point.
        constraints: how many it has.

    Raises:
        ConfigurationError: the space does not fit the function or the dimension, or an objective is not
            reported.
    """

    def __init__(
        self,
        space: SearchSpace | None,
        objectives: Sequence[Objective] | None,
        bounds: Sequence[tuple[float, float]],
        reference: Sequence[float],
        constraints: int = 0,
    ) -> None:
        self.reference = tuple(float(value) for value in reference)
        self.constraints = tuple(Objective(f"g{i + 1}", bound=0.0) for i in range(constraints))
        usual = [Objective(f"f{i + 1}", reference=value) for i, value in enumerate(self.reference)]
        super().__init__(space, objectives, bounds, usual, [one.name for one in self.constraints])

    @property
    def facts(self) -> Facts:
        return Facts(deterministic=True)

    @abstractmethod
    def evaluate(self, x: Vector) -> Metrics:
        """The metrics at ``x``, shape ``(dimension,)``."""

    def metrics(self, x: list[float], fidelity: int, seed: int) -> Metrics:
        del fidelity, seed
        return self.evaluate(np.array(x, dtype=np.float64))


class KnownFront(MultiObjectiveFunction):
    """One whose Pareto front is known."""

    @property
    @abstractmethod
    def largest_hypervolume(self) -> float:
        """Hypervolume of the whole front with the usual ``reference``, over all of the function's bounds."""

    @abstractmethod
    def front(self, n: int) -> Vector:
        """About ``n`` points of the Pareto front, shape ``(k, m)``, over all of the function's bounds."""


def chosen_dimension(space: SearchSpace | None, dimension: int | None, usual: int, smallest: int) -> int:
    """The number of parameters: as given, else as in the space, else the usual one.

    Raises:
        ConfigurationError: it is smaller than ``smallest``.
    """
    if dimension is None:
        dimension = usual if space is None else len(space.names)
    if dimension < smallest:
        raise ConfigurationError("dimension", f"at least {smallest}", dimension)
    return dimension


def as_metrics(objectives: Sequence[float], constraints: Sequence[float] = ()) -> dict[str, float]:
    """Values by the names ``f1``, ``f2``, … and ``g1``, ``g2``, …"""
    values = {f"f{i + 1}": float(value) for i, value in enumerate(objectives)}
    return values | {f"g{i + 1}": float(value) for i, value in enumerate(constraints)}
