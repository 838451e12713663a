"""Asynchronous successive halving, for one objective or several and with constraints, over arrays.

ASHA (Li et al. 2020) and MO-ASHA (Schmucker et al. 2021, arXiv 2106.12639): a trial that reaches a rung goes
on if it is among the best ``1 / eta`` of all that have reached it. Several objectives are ranked by
non-dominated sorting, and each front by an epsilon-net. Everything is minimised; ``losses`` has shape
``(n, m)``, one row per trial, all finite. ``violations`` has shape ``(n, c)``, positive where a constraint is
violated. A trial that violates a constraint comes after all that do not (:func:`orchestrator.pareto.ranks`);
the papers do not cover constraints.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.pareto import ranks
from orchestrator.stopping.fronts import Sorting

Array = NDArray[np.float64]

LARGEST_NET = 100
"""A front of more rows than this is thinned before it is ordered: the cost grows with its square."""


def order(losses: Array, violations: Array | None = None) -> NDArray[np.int64]:
    """Rows from the best to the worst, shape ``(n,)``.

    With one objective: by the sum of violations, then by loss. With several, fronts come one after another. A
    front begins with its best row in the first objective; each next row is the one farthest (by its nearest
    neighbour) from the rows of the front before it. Equals keep their order.

    Differs from the paper in that distances are measured with each objective scaled to the range of
    ``losses``, so that they do not depend on its unit.
    """
    if losses.shape[1] == 1:
        return np.lexsort((losses[:, 0], _excess(losses, violations)))
    fronts, scaled = ranks(losses, violations), losses / _extent(losses)
    members = [np.flatnonzero(fronts == front) for front in np.unique(fronts)]
    ordered = [rows[_spread(scaled[rows], len(rows))] for rows in members]
    return np.concatenate([*ordered, np.empty(0, dtype=np.int64)])


def goes_on(losses: Array, row: int, eta: int, violations: Array | None = None) -> bool:
    """Whether ``row`` is among the best ``n // eta``, and at least one, in the sense of :func:`order`.

    The first trial to reach a rung goes on. Where the cut falls on a front of more than ``LARGEST_NET`` rows,
    ``row`` must be among the same share of a sample of it: every few rows along the first objective.
    """
    kept = max(1, len(losses) // eta)
    if losses.shape[1] == 1:
        return bool(row in order(losses, violations)[:kept])
    fronts = ranks(losses, violations)
    better = int(np.count_nonzero(fronts < fronts[row]))
    front = np.flatnonzero(fronts == fronts[row])
    front = front[np.lexsort(losses[front].T[::-1])]
    return _within(losses, _extent(losses), front.tolist(), row, kept - better)


class Rung:
    """The reports of trials at one fidelity; grows by one report at a time.

    Decides as :func:`goes_on` would over all reports so far, without sorting them all again: with one
    objective a report costs O(log n), with two about the square root of n
    (:mod:`orchestrator.stopping.fronts`).

    Args:
        objectives: the number of objectives.
    """

    def __init__(self, objectives: int) -> None:
        self._ranking: list[tuple[float, float]] = []
        self._count = 0
        self._losses = np.empty((16, objectives))
        self._least, self._most = np.full(objectives, np.inf), np.full(objectives, -np.inf)
        self._fronts = Sorting(objectives)
        self._feasible = 0
        self._excesses: list[float] = []
        self._alike: defaultdict[float, list[int]] = defaultdict(list)

    def add(self, losses: Sequence[float], violations: Sequence[float], eta: int) -> bool:
        """Take in a report; returns whether its trial goes on."""
        self._count += 1
        kept = max(1, self._count // eta)
        excess = sum(max(violation, 0.0) for violation in violations)
        if len(losses) == 1:
            key = (excess, losses[0])
            position = bisect_right(self._ranking, key)
            self._ranking.insert(position, key)
            return position < kept
        row = self._note(losses)
        placed = self._ranked(row, tuple(losses), excess, kept)
        if placed is None:
            return False
        better, front = placed
        extent = self._most - self._least
        return _within(self._losses, np.where(extent > 0, extent, 1.0), front, row, kept - better)

    def _note(self, losses: Sequence[float]) -> int:
        row = self._count - 1
        if row == len(self._losses):
            self._losses = np.concatenate([self._losses, np.empty_like(self._losses)])
        self._losses[row] = losses
        np.minimum(self._least, losses, out=self._least)
        np.maximum(self._most, losses, out=self._most)
        return row

    def _ranked(
        self, row: int, losses: tuple[float, ...], excess: float, kept: int
    ) -> tuple[int, Sequence[int]] | None:
        """How many rows come before the row's front, and the front in lexicographic order; None: too many."""
        if excess <= 0:
            self._feasible += 1
            return self._fronts.add(row, losses, kept)
        better = self._feasible + bisect_left(self._excesses, excess)
        insort(self._excesses, excess)
        insort(self._alike[excess], row, key=lambda one: tuple(self._losses[one]))
        return better, self._alike[excess]


def _excess(losses: Array, violations: Array | None) -> Array:
    if violations is None:
        return np.zeros(len(losses))
    excess: Array = np.maximum(violations, 0.0).sum(axis=1)
    return excess


def _extent(losses: Array) -> Array:
    """The divisors that make the objectives' units irrelevant."""
    extent: Array = np.ptp(losses, axis=0) if len(losses) else np.ones(losses.shape[1])
    return np.where(extent > 0, extent, 1.0)


def _within(losses: Array, extent: Array, front: Sequence[int], row: int, count: int) -> bool:
    """Whether ``row`` is among the first ``count`` of its front, whose rows are in lexicographic order."""
    if count <= 0 or count >= len(front):
        return count > 0
    step = -(-len(front) // LARGEST_NET)
    sample = sorted({*front[::step], row})
    share = max(1, round(count * len(sample) / len(front)))
    return sample.index(row) in _spread(losses[sample] / extent, share)


def _spread(points: Array, count: int) -> NDArray[np.int64]:
    """The first ``count`` points as an epsilon-net: best in the first objective, then farthest first."""
    chosen = [int(np.argmin(points[:, 0]))]
    distances = np.full(len(points), np.inf)
    while len(chosen) < min(len(points), count):
        distances = np.minimum(distances, np.linalg.norm(points - points[chosen[-1]], axis=1))
        distances[chosen[-1]] = -np.inf
        chosen.append(int(np.argmax(distances)))
    return np.array(chosen, dtype=np.int64)
