"""Asynchronous successive halving for several objectives: the rule, as functions over arrays.

MO-ASHA (Schmucker et al. 2021, arXiv 2106.12639): what has reached a rung is ranked by non-dominated sorting,
and each front by an epsilon-net; who is among the top ``1 / eta`` goes on. Everything is to be minimised;
``losses`` has shape ``(n, m)``, one row per trial, all of them finite. ``violations`` has shape ``(n, c)``,
positive where a constraint is violated; what violates one comes after all that does not
(:func:`orchestrator.pareto.ranks`), of which the paper does not speak.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.pareto import ranks

Array = NDArray[np.float64]


def order(losses: Array, violations: Array | None = None) -> NDArray[np.int64]:
    """Rows from the best to the worst, shape ``(n,)``.

    Fronts come one after another. A front begins with its best row in the first objective; each next row is
    the one farthest (by its nearest neighbour) from those of the front that stand before it. Equals keep
    their order.

    Differs from the paper in that distances are measured with each objective scaled to the range of
    ``losses``, so that they do not depend on its unit.
    """
    fronts = ranks(losses, violations)
    extent = np.ptp(losses, axis=0) if len(losses) else np.ones(losses.shape[1])
    scaled = losses / np.where(extent > 0, extent, 1.0)
    ordered = [_spread(scaled, np.flatnonzero(fronts == front)) for front in np.unique(fronts)]
    return np.concatenate([*ordered, np.empty(0, dtype=np.int64)])


def goes_on(losses: Array, row: int, eta: int, violations: Array | None = None) -> bool:
    """Whether the trial in ``row`` is among the best ``n // eta`` (at least one) of those that reached its
    rung.

    The first that arrives at a rung goes on.
    """
    kept = max(1, len(losses) // eta)
    return bool(row in order(losses, violations)[:kept])


def _spread(points: Array, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """``rows`` as an epsilon-net: best in the first objective, then farthest first."""
    chosen = [int(rows[np.argmin(points[rows, 0])])]
    distances = np.full(len(rows), np.inf)
    while len(chosen) < len(rows):
        distances = np.minimum(distances, np.linalg.norm(points[rows] - points[chosen[-1]], axis=1))
        distances[rows == chosen[-1]] = -np.inf
        chosen.append(int(rows[np.argmax(distances)]))
    return np.array(chosen, dtype=np.int64)
