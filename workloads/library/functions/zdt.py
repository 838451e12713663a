"""The ZDT functions (Zitzler, Deb and Thiele 2000)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from search_spaces import ConfigurationError, SearchSpace
from workloads.contract import Metrics, Objective
from workloads.library.functions.multi_objective import (
    KnownFront,
    Vector,
    as_metrics,
    chosen_dimension,
)


class Zdt(KnownFront):
    """ZDT1 (convex front), ZDT2 (concave) and ZDT3 (five pieces) over the unit cube.

    ``f1 = x1``, ``f2 = g * h`` with ``g = 1 + 9 * mean(x2, …)``; with ``r = x1 / g``, h is ``1 - sqrt(r)``,
    ``1 - r**2`` or ``1 - sqrt(r) - r * sin(10 * pi * x1)``. The front has g = 1. Reference point (11, 11),
    above any value.

    Args:
        instance: 1, 2 or 3.
        dimension: usually 30, at least 2; None: as many as ``space`` has.
    """

    _LARGEST_HYPERVOLUME: ClassVar = {1: 120 + 2 / 3, 2: 120 + 1 / 3, 3: 128.7781161306}  # 3: by quadrature

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        instance: int = 1,
        dimension: int | None = None,
    ) -> None:
        if instance not in self._LARGEST_HYPERVOLUME:
            raise ConfigurationError("instance", "1, 2 or 3", instance)
        count = chosen_dimension(space, dimension, usual=30, smallest=2)
        super().__init__(space, objectives, [(0.0, 1.0)] * count, reference=(11.0, 11.0))
        self.instance = instance

    @property
    def largest_hypervolume(self) -> float:
        return self._LARGEST_HYPERVOLUME[self.instance]

    def evaluate(self, x: Vector) -> Metrics:
        g = 1 + 9 * float(x[1:].mean())
        return as_metrics((x[0], g * self._shape(x[:1], g)[0]))

    def front(self, n: int) -> Vector:
        first = np.linspace(0.0, 1.0, n)
        second = self._shape(first, 1.0)
        best_so_far = np.minimum.accumulate(second)
        keep = np.concatenate([[True], second[1:] < best_so_far[:-1]])
        return np.asarray(np.column_stack([first, second])[keep])

    def _shape(self, first: Vector, g: float) -> Vector:
        ratio = first / g
        if self.instance == 2:
            return np.asarray(1 - ratio**2)
        wave = ratio * np.sin(10 * np.pi * first) if self.instance == 3 else 0.0
        return np.asarray(1 - np.sqrt(ratio) - wave)
