"""Kursawe's function (Kursawe 1991)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import SearchSpace
from workloads.contract import Metrics, Objective
from workloads.library.functions.multi_objective import KnownFront, Vector, as_metrics


class Kursawe(KnownFront):
    """A disconnected front with an isolated point, over three parameters in [-5, 5].

    ``f1 = sum(-10 * exp(-.2 * hypot(x_i, x_{i+1})))``, ``f2 = sum(|x_i|**.8 + 5 * sin(x_i**3))``. The front
    has no closed form; it lies in [-1.2, 0]**3. Reference point (-14, 1).
    """

    def __init__(
        self, space: SearchSpace | None = None, objectives: Sequence[Objective] | None = None
    ) -> None:
        super().__init__(space, objectives, [(-5.0, 5.0)] * 3, reference=(-14.0, 1.0))

    @property
    def largest_hypervolume(self) -> float:
        # Of a grid refined around its front until the third decimal stood still.
        return 37.347

    def evaluate(self, x: Vector) -> Metrics:
        return as_metrics(_kursawe(x[None])[0])

    def front(self, n: int) -> Vector:
        """Of a grid of ``n`` points, the best ones: near the front, not on it."""
        axis = np.linspace(-1.2, 0.0, max(2, round(n ** (1 / 3))))
        values = _kursawe(np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3))
        values = values[np.lexsort((values[:, 1], values[:, 0]))]
        best_so_far = np.minimum.accumulate(values[:, 1])
        keep = np.concatenate([[True], values[1:, 1] < best_so_far[:-1]])
        return np.asarray(values[keep])


def _kursawe(x: Vector) -> Vector:
    first = (-10 * np.exp(-0.2 * np.hypot(x[:, :-1], x[:, 1:]))).sum(axis=1)
    second = (np.abs(x) ** 0.8 + 5 * np.sin(x**3)).sum(axis=1)
    return np.column_stack([first, second])
