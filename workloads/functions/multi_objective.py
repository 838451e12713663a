"""What the multi-objective test functions share: ``x1``, ``x2``, … in, ``f1``, ``f2``, … out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.base import Device, Fidelity, Metrics, Objective
from workloads.function import FunctionSession, from_function

Vector = NDArray[np.float64]


class MultiObjectiveFunction(ABC):
    """A deterministic function of ``dimension`` numbers with several objectives, all to be minimised.

    Metrics: ``f1``, ``f2``, …, and ``g1``, ``g2``, … where it has constraints, which are bounded by 0.

    Args:
        space: floats called ``x1``, ``x2``, … within the function's bounds; None: all of its bounds.
        objectives: None: all, with the function's usual reference point.
        dimension: number of parameters; None: that of ``space``, or the function's usual one.

    Raises:
        ConfigurationError: the space does not fit the function or the dimension.
    """

    def __init__(
        self,
        space: SearchSpace | None,
        objectives: Sequence[Objective] | None,
        bounds: Sequence[tuple[float, float]],
        reference: Sequence[float],
        constraints: int = 0,
    ) -> None:
        self._names = tuple(f"x{i + 1}" for i in range(len(bounds)))
        self.space = _box(self._names, bounds) if space is None else space
        self._check_space(bounds)
        usual = tuple(Objective(f"f{i + 1}", reference=value) for i, value in enumerate(reference))
        self.objectives = usual if objectives is None else tuple(objectives)
        self.constraints = tuple(Objective(f"g{i + 1}", bound=0.0) for i in range(constraints))
        self.fidelity = Fidelity("call")
        self.reference = tuple(float(value) for value in reference)

    @property
    @abstractmethod
    def largest_hypervolume(self) -> float:
        """Hypervolume of the whole front with the usual ``reference``, over all of the function's bounds."""

    @abstractmethod
    def evaluate(self, x: Vector) -> Metrics:
        """The metrics at ``x``, shape ``(dimension,)``."""

    @abstractmethod
    def front(self, n: int) -> Vector:
        """About ``n`` points of the Pareto front, shape ``(k, m)``, over all of the function's bounds."""

    def start(self, config: Config, seed: int, device: Device) -> FunctionSession:
        """A session that evaluates ``config``; ``seed`` has no effect."""
        return from_function(self._call, self.space, self.objectives).start(config, seed, device)

    def _call(self, config: Config) -> Metrics:
        return self.evaluate(np.array([float(config[name]) for name in self._names]))

    def _check_space(self, bounds: Sequence[tuple[float, float]]) -> None:
        if set(self.space.names) != set(self._names):
            expected = f"the parameters {self._names[0]} to {self._names[-1]}"
            raise ConfigurationError("search_space.parameters", expected, list(self.space.names))
        for name, (low, high) in zip(self._names, bounds, strict=True):
            column = next((one for one in self.space.codec.columns if one.name == name), None)
            if (
                column is not None
                and column.kind in ("float", "int")
                and low <= column.low < column.high <= high
            ):
                continue
            expected = f"a number within [{low}, {high}]"
            raise ConfigurationError(f"search_space.parameters.{name}", expected, column)


def chosen_dimension(space: SearchSpace | None, dimension: int | None, usual: int, smallest: int) -> int:
    """The number of parameters: as given, else as in the space, else the usual one.

    Raises:
        ConfigurationError: it is smaller than ``smallest``.
    """
    if dimension is None:
        dimension = usual if space is None else len(space.names)
    if dimension < smallest:
        raise ConfigurationError("workload.dimension", f"at least {smallest}", dimension)
    return dimension


def as_metrics(objectives: Sequence[float], constraints: Sequence[float] = ()) -> dict[str, float]:
    """Values by the names ``f1``, ``f2``, … and ``g1``, ``g2``, …"""
    values = {f"f{i + 1}": float(value) for i, value in enumerate(objectives)}
    return values | {f"g{i + 1}": float(value) for i, value in enumerate(constraints)}


def _box(names: Sequence[str], bounds: Sequence[tuple[float, float]]) -> SearchSpace:
    return build_space(
        {
            "parameters": {
                name: {"type": "float", "low": low, "high": high}
                for name, (low, high) in zip(names, bounds, strict=True)
            }
        }
    )
