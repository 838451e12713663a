"""Asynchronous successive halving, for one objective or several and with constraints, over arrays.

ASHA (Li et al. 2020) and MO-ASHA (Schmucker et al. 2021, arXiv 2106.12639): a trial that reaches a rung goes
on if it is among the best ``1 / eta`` of all that have reached it. Several objectives are ranked by
non-dominated sorting, and each front by an epsilon-net. Everything is minimised; ``losses`` has shape
``(n, m)``, one row per trial, all finite. ``violations`` has shape ``(n, c)``, positive where a constraint is
violated. A trial that violates a constraint comes after all that do not (:func:`orchestrator.pareto.ranks`);
the papers do not cover constraints.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.pareto import ranks

Array = NDArray[np.float64]


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
    fronts, scaled = ranks(losses, violations), _scaled(losses)
    ordered = [_spread(scaled, np.flatnonzero(fronts == front)) for front in np.unique(fronts)]
    return np.concatenate([*ordered, np.empty(0, dtype=np.int64)])


def goes_on(losses: Array, row: int, eta: int, violations: Array | None = None) -> bool:
    """Whether ``row`` is among the best ``n // eta``, and at least one, in the sense of :func:`order`.

    The first trial to reach a rung goes on.
    """
    kept = max(1, len(losses) // eta)
    if losses.shape[1] == 1:
        return bool(row in order(losses, violations)[:kept])
    fronts = ranks(losses, violations)
    better = int(np.count_nonzero(fronts < fronts[row]))
    front = np.flatnonzero(fronts == fronts[row])
    if better >= kept or better + len(front) <= kept:
        return better < kept
    # Only the front on which the cut falls has to be ordered, and only down to the cut.
    return bool(row in _spread(_scaled(losses), front, kept - better))


class Rung:
    """What trials reported at one fidelity; grows by one report at a time.

    Decides as :func:`goes_on` would over all reports so far. With one objective a report costs O(log n).

    Args:
        objectives: how many there are.
        constraints: how many there are.
    """

    def __init__(self, objectives: int, constraints: int) -> None:
        self._ranking: list[tuple[float, float]] = []
        self._count = 0
        self._losses = np.empty((16, objectives))
        self._violations = np.empty((16, constraints))

    def add(self, losses: Sequence[float], violations: Sequence[float], eta: int) -> bool:
        """Take in a report; returns whether its trial goes on."""
        self._count += 1
        if len(losses) == 1:
            key = (sum(max(violation, 0.0) for violation in violations), losses[0])
            position = bisect_right(self._ranking, key)
            self._ranking.insert(position, key)
            return position < max(1, self._count // eta)
        row = self._count - 1
        if row == len(self._losses):
            self._losses, self._violations = _doubled(self._losses), _doubled(self._violations)
        self._losses[row], self._violations[row] = losses, violations
        return goes_on(self._losses[: self._count], row, eta, self._violations[: self._count])


def _doubled(rows: Array) -> Array:
    return np.concatenate([rows, np.empty_like(rows)])


def _excess(losses: Array, violations: Array | None) -> Array:
    if violations is None:
        return np.zeros(len(losses))
    excess: Array = np.maximum(violations, 0.0).sum(axis=1)
    return excess


def _scaled(losses: Array) -> Array:
    extent: Array = np.ptp(losses, axis=0) if len(losses) else np.ones(losses.shape[1])
    scaled: Array = losses / np.where(extent > 0, extent, 1.0)
    return scaled


def _spread(points: Array, rows: NDArray[np.intp], count: int | None = None) -> NDArray[np.int64]:
    """The first ``count`` of ``rows`` as an epsilon-net: best in the first objective, then farthest first."""
    chosen = [int(rows[np.argmin(points[rows, 0])])]
    distances = np.full(len(rows), np.inf)
    while len(chosen) < min(len(rows), count or len(rows)):
        distances = np.minimum(distances, np.linalg.norm(points[rows] - points[chosen[-1]], axis=1))
        distances[rows == chosen[-1]] = -np.inf
        chosen.append(int(rows[np.argmax(distances)]))
    return np.array(chosen, dtype=np.int64)
