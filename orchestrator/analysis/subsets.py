"""Small sets of tasks that stand for many, by star discrepancy, as carps chooses them.

A task is a point in the unit cube: the normalised performance of three (or more) dissimilar methods on it.
``points`` has shape ``(n, d)``, ``members`` are row indices of ``points``.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestrator.analysis.analysis import mean_scores
from orchestrator.benchmark.records import Results
from search_spaces import ConfigurationError

Array = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.int64]
Measure = Literal["uniform", "tasks"]

# Corners per axis in the search, few enough for a step to take milliseconds; the choice among its results
# is exact.
_CORNERS = 16
_MOST_METHODS = 4  # the search looks at 16^d boxes for each point, and the exact choice at n^d
_ROUNDING = 1e-6
_SMALLEST = 1e-8


def performance(
    results: Results, references: Mapping[str, tuple[float, ...]], methods: Sequence[str]
) -> tuple[list[str], Array]:
    """Tasks on which all of ``methods`` have a cell that counts, and their mean normalised performance.

    Returns:
        Names, and points in [0, 1] of shape ``(tasks, methods)``; 0 is the best.
    """
    table = mean_scores(results, references).pivot(index="task", columns="method", values="normalised")
    table = table.reindex(index=list(results.tasks), columns=list(methods)).dropna()
    return list(table.index), table.to_numpy(dtype=float)


def spread(points: Array) -> Array:
    """Points on a logarithmic scale, again in [0, 1], for points that clump near the best.

    Normalised losses clump if bad evaluations are far worse than good ones; carps takes the logarithm then.
    """
    logs = np.log10(np.maximum(points, _SMALLEST))
    low, high = logs.min(initial=0.0), logs.max(initial=-np.inf)
    return np.asarray((logs - low) / (high - low)) if high > low else np.zeros_like(points)


def star_discrepancy(points: ArrayLike, members: ArrayLike, measure: Measure = "uniform") -> float:
    """The largest difference between two shares of any box ``[0, c]`` or ``[0, c)``: exact.

    One is the share of ``members`` in it. The other is the box's volume (``uniform``: the classical star
    discrepancy, small where the subset fills the cube evenly), or the share of all ``points`` in it
    (``tasks``: small where the subset is distributed as the whole is).

    Only the corners of the critical grid matter (Niederreiter 1972), whose coordinates are points' or 1:
    ``k^d`` boxes of k members for ``uniform``, ``n^d`` for ``tasks``; time in proportion, memory a ``d``-th
    root less.
    """
    matrix = _cube(points)
    subset = matrix[np.asarray(members, dtype=np.int64)]
    axes = [np.union1d(column, [1.0]) for column in (subset if measure == "uniform" else matrix).T]
    if measure == "tasks":
        pairs = zip(_counts(subset, axes), _counts(matrix, axes), strict=True)
        return max(float(np.abs(few / len(subset) - all_ / len(matrix)).max()) for few, all_ in pairs)
    area: Array = functools.reduce(np.multiply.outer, axes[1:])
    below = np.zeros(area.shape, dtype=np.int64)
    worst = 0.0
    for height, closed in zip(axes[0], _counts(subset, axes), strict=True):
        volume, inside = height * area, _open(below)
        worst = max(worst, float((closed / len(subset) - volume).max()))
        worst = max(worst, float((volume - inside / len(subset)).max()))
        below = closed
    return worst


def choose_subsets(
    points: ArrayLike,
    k: int,
    rng: np.random.Generator,
    *,
    measure: Measure = "uniform",
    restarts: int = 10,
) -> tuple[Indices, Indices]:
    """Two disjoint subsets of ``k`` points each, for development and for test, of small star discrepancy.

    Minimises the larger of both subsets' discrepancies, then the smaller. The search starts from
    random subsets and exchanges a member of the worse one with a point outside or with a member of the
    other, as long as that improves (after Clément, Doerr and Paquete 2022 and 2024, who exchange points
    too); then the better one goes on alone. carps takes the two subsets one after the other, the second
    from what the first has left; we choose them together, so that the second is no worse.

    Args:
        points: d is from 2 to 4.
        k: at least 1, at most half of the points.
        rng: draws the starts and the order of trying.
        measure: see :func:`star_discrepancy`; carps' is ``uniform``.
        restarts: how many starts.

    Returns:
        Sorted row indices; the subset with the smaller discrepancy first.

    Raises:
        ConfigurationError: there are more than 4 methods, which would take too much memory.
        ValueError: k is too small or too large, or the points are not in the cube.
    """
    matrix = _cube(points)
    if matrix.shape[1] > _MOST_METHODS:
        hint = "time and memory grow with the power of their number; carps takes 3"
        raise ConfigurationError("methods", f"at most {_MOST_METHODS}", matrix.shape[1], hint)
    if not 1 <= k <= len(matrix) // 2:
        raise ValueError(f"expected k from 1 to half of {len(matrix)} points, got {k}")
    boxes = _boxes(matrix, measure)
    best: tuple[float, float] = (np.inf, np.inf)
    chosen: list[Indices] = []
    for _ in range(restarts):
        subsets = _descend(boxes, rng.permutation(len(matrix)), k, rng)
        worse, better = sorted(
            ((star_discrepancy(matrix, subset, measure), place) for place, subset in enumerate(subsets)),
            reverse=True,
        )
        if (worse[0], better[0]) < best:
            best = worse[0], better[0]
            chosen = [subsets[better[1]], subsets[worse[1]]]
    return np.sort(chosen[0]), np.sort(chosen[1])


@dataclass(frozen=True)
class _Boxes:
    """Which points are in which boxes, and which share of a subset should be.

    A box appears twice: closed, where too many members are to be avoided, and open, with all signs changed,
    where too few are. So the discrepancy is the largest excess of a mean over its target.

    Args:
        inside: shape ``(n, 2 b)``, 1 or -1 where a point is in the box.
        target: shape ``(2 b,)``.
    """

    inside: Singles
    target: Singles

    def excess(self, members: Indices) -> Singles:
        return np.asarray(self.inside[members].mean(axis=0) - self.target)

    def exchanged(self, excess: Singles, member: int, points: Indices, k: int) -> Singles:
        """Discrepancies of the subset with ``member`` replaced by each of ``points``."""
        # An exchange changes an excess by 1 / k at most: others than these cannot become the largest.
        near = np.flatnonzero(excess >= excess.max() - 2 / k - _ROUNDING)
        rest = excess[near] - self.inside[member, near] / k
        return np.asarray((rest + self.inside[np.ix_(points, near)] / k).max(axis=1))


def _descend(boxes: _Boxes, order: Indices, k: int, rng: np.random.Generator) -> list[Indices]:
    """Two subsets that no exchange improves, from those that ``order`` begins with."""
    subsets, rest = [order[:k].copy(), order[k : 2 * k].copy()], order[2 * k :].copy()
    while True:
        excesses = [boxes.excess(subset) for subset in subsets]
        worse = int(excesses[1].max() > excesses[0].max())
        if not (
            _replace(boxes, subsets[worse], rest, excesses[worse], rng)
            or _trade(boxes, subsets, excesses, worse, rng)
            or _replace(boxes, subsets[1 - worse], rest, excesses[1 - worse], rng)
        ):
            return subsets


def _replace(
    boxes: _Boxes, subset: Indices, rest: Indices, excess: Singles, rng: np.random.Generator
) -> bool:
    """Exchange a member for a point of ``rest``, in place; False where that improves nothing."""
    for i in rng.permutation(len(subset)) if len(rest) else ():
        values = boxes.exchanged(excess, subset[i], rest, len(subset))
        j = int(np.argmin(values))
        if values[j] < excess.max() - _ROUNDING:
            subset[i], rest[j] = rest[j], subset[i]
            return True
    return False


def _trade(
    boxes: _Boxes, subsets: list[Indices], excesses: list[Singles], worse: int, rng: np.random.Generator
) -> bool:
    """Exchange two members between the subsets so that both become better than the worse one was."""
    own, other = subsets[worse], subsets[1 - worse]
    k, limit = len(own), excesses[worse].max() - _ROUNDING
    for i in rng.permutation(k):
        values = boxes.exchanged(excesses[worse], own[i], other, k)
        for j in np.argsort(values, kind="stable"):
            if values[j] >= limit:
                break
            if boxes.exchanged(excesses[1 - worse], other[j], own[[i]], k)[0] < limit:
                own[i], other[j] = other[j], own[i]
                return True
    return False


def _boxes(points: Array, measure: Measure) -> _Boxes:
    corners = np.array(list(itertools.product(*(_corners(column) for column in points.T))))
    closed = np.logical_and.reduce([p[:, None] <= c for p, c in zip(points.T, corners.T, strict=True)])
    if measure == "tasks":
        # Every open box holds the same points as a closed one, so that closed ones suffice.
        least = most = closed.mean(axis=0)
        open_ = closed
    else:
        least = most = corners.prod(axis=1)
        open_ = np.logical_and.reduce([p[:, None] < c for p, c in zip(points.T, corners.T, strict=True)])
    inside = np.hstack([closed, -open_.astype(np.int8)])
    return _Boxes(inside.astype(np.float32), np.concatenate([most, -least]).astype(np.float32))


def _counts(points: Array, axes: list[Array]) -> Iterator[Indices]:
    """How many points are in the closed boxes: per value of the first axis an array over the others."""
    places = [np.searchsorted(axis, column) for axis, column in zip(axes, points.T, strict=True)]
    plane = np.zeros([len(axis) for axis in axes[1:]], dtype=np.int64)
    for height in range(len(axes[0])):
        here = places[0] == height
        np.add.at(plane, tuple(place[here] for place in places[1:]), 1)
        total = plane
        for axis in range(plane.ndim):
            total = total.cumsum(axis=axis)
        yield total


def _open(closed: Indices) -> Indices:
    """Counts of boxes that are open on the axes of ``closed``."""
    return np.pad(closed, [(1, 0)] * closed.ndim)[(slice(-1),) * closed.ndim]


def _corners(column: Array) -> Array:
    """Coordinates of the boxes that the search looks at: all, or as many quantiles."""
    values = np.union1d(column, [1.0])
    if len(values) <= _CORNERS:
        return values
    return np.asarray(values[np.linspace(0, len(values) - 1, _CORNERS).round().astype(int)])


def _cube(points: ArrayLike) -> Array:
    matrix = np.asarray(points, dtype=float)
    if matrix.ndim != 2 or matrix.shape[1] < 2 or not ((matrix >= 0) & (matrix <= 1)).all():
        raise ValueError(
            f"expected points of shape (n, d), d at least 2, in [0, 1], got shape {matrix.shape}"
        )
    return matrix
