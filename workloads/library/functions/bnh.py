"""Binh and Korn's constrained function (Binh and Korn 1997)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import SearchSpace
from workloads.contract import Metrics, Objective
from workloads.library.functions.multi_objective import KnownFront, Vector, as_metrics


class Bnh(KnownFront):
    """Two parameters, two objectives, two constraints ``g <= 0``.

    ``f1 = 4 * x1**2 + 4 * x2**2``, ``f2 = (x1 - 5)**2 + (x2 - 5)**2``, ``g1 = ((x1 - 5)**2 + x2**2 - 25) /
    25``, ``g2 = (7.7 - (x1 - 8)**2 - (x2 + 3)**2) / 7.7``, for x1 in [0, 5] and x2 in [0, 3]. On the front
    x1 = x2 as far as 3, then x2 = 3. Reference point (140, 50). Scaled as in pymoo.
    """

    def __init__(
        self, space: SearchSpace | None = None, objectives: Sequence[Objective] | None = None
    ) -> None:
        super().__init__(space, objectives, [(0.0, 5.0), (0.0, 3.0)], reference=(140.0, 50.0), constraints=2)

    @property
    def largest_hypervolume(self) -> float:
        # The integral of 50 - f2 over f1: 2232 as far as f1 = 72, 8608 / 3 as far as 136, then 46 * 4 as
        # far as 140.
        return 15856 / 3

    def evaluate(self, x: Vector) -> Metrics:
        first, second = float(x[0]), float(x[1])
        return as_metrics(
            (4 * first**2 + 4 * second**2, (first - 5) ** 2 + (second - 5) ** 2),
            (
                ((first - 5) ** 2 + second**2 - 25) / 25,
                (7.7 - (first - 8) ** 2 - (second + 3) ** 2) / 7.7,
            ),
        )

    def front(self, n: int) -> Vector:
        first = np.linspace(0.0, 5.0, n)
        second = np.minimum(first, 3.0)
        return np.column_stack([4 * first**2 + 4 * second**2, (first - 5) ** 2 + (second - 5) ** 2])
