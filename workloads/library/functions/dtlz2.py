"""DTLZ2 (Deb, Thiele, Laumanns and Zitzler 2002)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from search_spaces import ConfigurationError, SearchSpace
from workloads.contract import Metrics, Objective
from workloads.library.functions.multi_objective import (
    KnownFront,
    Vector,
    as_metrics,
    chosen_dimension,
)


class Dtlz2(KnownFront):
    """A front that is the positive part of the unit sphere, for any number of objectives, over the unit cube.

    ``f = (1 + g) * s(x1, …, x_{m-1})`` with s on the sphere and ``g = sum((x - .5)**2)`` of the remaining
    parameters, which is 0 on the front. Reference point (1.1, …, 1.1).

    Args:
        count: number of objectives m, at least 2.
        dimension: usually ``count + 9``, at least ``count``; None: as many as ``space`` has.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        count: int = 2,
        dimension: int | None = None,
    ) -> None:
        if count < 2:
            raise ConfigurationError("count", "at least 2", count)
        self.count = count
        dimension = chosen_dimension(space, dimension, usual=count + 9, smallest=count)
        super().__init__(space, objectives, [(0.0, 1.0)] * dimension, reference=(1.1,) * count)

    @property
    def largest_hypervolume(self) -> float:
        m = self.count
        ball = math.pi ** (m / 2) / math.gamma(m / 2 + 1) / 2**m
        return float(self.reference[0] ** m - ball)

    def evaluate(self, x: Vector) -> Metrics:
        g = ((x[self.count - 1 :] - 0.5) ** 2).sum()
        return as_metrics((1 + g) * _on_sphere(x[None, : self.count - 1])[0])

    def front(self, n: int) -> Vector:
        per_angle = max(2, round(n ** (1 / (self.count - 1))))
        axes = np.meshgrid(*[np.linspace(0.0, 1.0, per_angle)] * (self.count - 1))
        return _on_sphere(np.stack(axes, axis=-1).reshape(-1, self.count - 1))


def _on_sphere(angles: Vector) -> Vector:
    """Points of the sphere, shape ``(n, m)``, from angles ``(n, m - 1)`` as fractions of a right angle."""
    ones = np.ones((len(angles), 1))
    cosines = np.cumprod(np.hstack([ones, np.cos(angles * np.pi / 2)]), axis=1)[:, ::-1]
    return np.asarray(cosines * np.hstack([ones, np.sin(angles * np.pi / 2)[:, ::-1]]))
