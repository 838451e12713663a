"""Whole populations ranked by several objectives, best first. Losses are minimised and none is NaN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from orchestrator import pareto
from orchestrator.objective import sign
from orchestrator.population.rules.contract import Floats
from workloads.contract import Objective

Rows = NDArray[np.intp]


def violations(losses: Floats, objectives: Sequence[Objective]) -> Floats:
    """By how much each row violates each objective's bound, shape ``(n, c)``; 0 or less where it holds."""
    bounded = [column for column, objective in enumerate(objectives) if objective.bound is not None]
    bounds = [sign(one) * one.bound for one in objectives if one.bound is not None]
    return np.asarray(losses[:, bounded] - np.array(bounds, dtype=float), dtype=np.float64)


def penalised(losses: Floats, objectives: Sequence[Objective]) -> Floats:
    """Losses after which whatever violates a bound is dominated by all that keeps it, shape ``(n, m)``.

    MO-PBT (Dushatskiy et al. 2023, arXiv 2306.01436; the authors' ``mo_utils.py``) maximises objectives that
    are never negative: what violates a bound counts with each objective clipped to at most 0, minus the
    violation. For losses that is: clipped to at least 0, plus the violation. Three differences: where some
    feasible loss is above 0, it takes the place of 0, or the violator could win; violations of several bounds
    add up, where the authors measure the second after the first has been subtracted; a value exactly at its
    bound keeps it.
    """
    excess = np.maximum(violations(losses, objectives), 0.0).sum(axis=1)
    broken = excess > 0
    if not broken.any():
        return losses
    floor = np.zeros(losses.shape[1])
    if not broken.all():
        floor = np.maximum(floor, losses[~broken].max(axis=0))
    result = losses.copy()
    result[broken] = np.maximum(losses[broken], floor) + excess[broken, None]
    return result


def epsilon_net(losses: Floats, rng: np.random.Generator) -> Rows:
    """MO-PBT's ranking (arXiv 2306.01436, ``epsnet_sort_all_fronts``): all rows, best first, shape ``(n,)``.

    Non-dominated fronts in their order. Inside a front comes, again and again, the row with the largest
    minimum Euclidean distance to everything ranked already, earlier fronts included. The very first is the
    best of front 0 in the first objective. Ties are broken at random, where the authors take the first.

    Distances are between the losses as they are: an objective of large numbers decides alone.
    """
    shuffled = rng.permutation(len(losses))
    points = losses[shuffled]
    fronts = pareto.ranks(points)
    ranking = np.empty(0, dtype=np.intp)
    for front in range(int(fronts.max(initial=-1)) + 1):
        rows = np.flatnonzero(fronts == front)
        if len(ranking):
            nearest = cdist(points[rows], points[ranking], "sqeuclidean").min(axis=1)
        else:
            nearest = np.full(len(rows), np.inf)
            rows = rows[np.argsort(points[rows, 0], kind="stable")]
        ranking = np.append(ranking, rows[_farthest_first(points[rows], nearest)])
    return np.asarray(shuffled[ranking], dtype=np.intp)


def _farthest_first(points: Floats, nearest: Floats) -> Rows:
    """An order of points ``(n, m)`` by distance to those before; ``nearest``: squared, to what is ranked."""
    distances = cdist(points, points, "sqeuclidean")
    order = np.empty(len(points), dtype=np.intp)
    for place in range(len(points)):
        order[place] = chosen = nearest.argmax()
        np.minimum(nearest, distances[chosen], out=nearest)
        nearest[chosen] = -1.0
    return order


def contribution_order(losses: Floats, objectives: Sequence[Objective], rng: np.random.Generator) -> Rows:
    """Rows by front and then by the hypervolume that each adds to its front, best first, shape ``(n,)``.

    As SMS-EMOA ranks (Beume, Naujoks and Emmerich 2007), but from the largest contribution down in every
    front. A front's reference point is :func:`orchestrator.pareto.reference_point`. Rows that violate bounds
    come after all that keep them, the smaller the violation the better (Deb et al. 2002). Among equal rows
    one counts and the others add nothing. Ties are broken at random.
    """
    shuffled = rng.permutation(len(losses))
    points = losses[shuffled]
    fronts = pareto.ranks(points, violations(points, objectives))
    contributions = np.zeros(len(points))
    for front in range(int(fronts.max(initial=-1)) + 1):
        rows = np.flatnonzero(fronts == front)
        rows = rows[np.unique(points[rows], axis=0, return_index=True)[1]]
        corner = pareto.reference_point(objectives, points[rows])
        contributions[rows] = pareto.contributions(points[rows], corner)
    ranking = np.lexsort((-contributions, fronts))
    return np.asarray(shuffled[ranking], dtype=np.intp)
