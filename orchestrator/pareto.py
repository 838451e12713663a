"""Dominance, hypervolume and the like, as functions over arrays. Everything is to be minimised.

Throughout, ``losses`` has shape ``(n, m)``: one row per trial, one column per objective. A row with a NaN
is a trial without a result: it is in no set and adds no volume. ``violations`` has shape ``(n, c)``:
positive where a constraint is violated. The engine is moocore (Fonseca, López-Ibáñez and others).
"""

from __future__ import annotations

from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestrator.objective import sign
from workloads.contract import Objective

Array = NDArray[np.float64]

_MARGIN = 0.1
# From here on the exact hypervolume takes seconds to minutes; the approximation's error is below 0.1 %.
_APPROXIMATE_OBJECTIVES, _APPROXIMATE_POINTS = 6, 500


def feasible(losses: ArrayLike, violations: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Which rows have a result and violate no constraint; shape ``(n,)``."""
    points = _matrix(losses)
    return np.isfinite(points).all(axis=1) & (_excess(points, violations) <= 0)


def nondominated(losses: ArrayLike, violations: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Which rows are feasible and dominated by no feasible row; shape ``(n,)``. Equal rows stay together."""
    points = _matrix(losses)
    members = feasible(points, violations)
    if members.any():
        members[members] = moocore.is_nondominated(points[members], keep_weakly=True)
    return members


def ranks(losses: ArrayLike, violations: ArrayLike | None = None) -> NDArray[np.int64]:
    """Index of the non-dominated front of each row, shape ``(n,)``; 0 is the best.

    Constrained domination (Deb et al. 2002, NSGA-II): feasible rows come first, by dominance; then
    infeasible ones, the smaller the sum of their violations the better; rows without a result share the
    last rank.
    """
    points = _matrix(losses)
    result = np.zeros(len(points), dtype=np.int64)
    good = feasible(points, violations)
    if good.any():
        result[good] = moocore.pareto_rank(points[good])
    excess = np.where(np.isfinite(points).all(axis=1), _excess(points, violations), np.inf)
    fronts = int(result[good].max()) + 1 if good.any() else 0
    result[~good] = fronts + np.unique(excess[~good], return_inverse=True)[1]
    return result


def hypervolume(losses: ArrayLike, reference: ArrayLike) -> float:
    """Volume that is dominated by ``losses`` and bounded by ``reference``, shape ``(m,)``.

    Exact below 6 objectives or 500 points; beyond, moocore's deterministic approximation.
    """
    points, corner = _matrix(losses), np.asarray(reference, dtype=float)
    inside = (points < corner).all(axis=1)
    front = points[inside]
    if not len(front):
        return 0.0
    if front.shape[1] >= _APPROXIMATE_OBJECTIVES:
        front = front[nondominated(front)]
        if len(front) >= _APPROXIMATE_POINTS:
            return float(moocore.hv_approx(front, ref=corner))
    return float(moocore.hypervolume(front, ref=corner))


def hypervolume_over_time(
    losses: ArrayLike, reference: ArrayLike, violations: ArrayLike | None = None
) -> Array:
    """Hypervolume of the feasible ones among the first 1, 2, … n rows; shape ``(n,)``, never decreasing."""
    points, corner = _matrix(losses), np.asarray(reference, dtype=float)
    counts = feasible(points, violations) & (np.nan_to_num(points, nan=np.inf) < corner).all(axis=1)
    front = np.empty((0, points.shape[1]))
    volumes, volume = np.zeros(len(points)), 0.0
    for row, point in enumerate(points):
        if counts[row] and not (front <= point).all(axis=1).any():
            front = np.vstack([front[(front < point).any(axis=1)], point])
            volume = hypervolume(front, corner)
        volumes[row] = volume
    return np.maximum.accumulate(volumes)


def contributions(losses: ArrayLike, reference: ArrayLike) -> Array:
    """The hypervolume that each row alone adds to the others, shape ``(n,)``; 0 for equal and dominated ones.

    Exact; slow beyond four objectives.
    """
    points, corner = _matrix(losses), np.asarray(reference, dtype=float)
    inside = (points < corner).all(axis=1)
    result = np.zeros(len(points))
    if inside.any():
        result[inside] = moocore.hv_contributions(points[inside], ref=corner)
    return result


def reference_point(
    objectives: Sequence[Objective], losses: ArrayLike, violations: ArrayLike | None = None
) -> Array:
    """The corner that bounds the hypervolume, shape ``(m,)``: what is configured, the rest inferred.

    Inferred is the nadir of the non-dominated set plus a tenth of its range (BoTorch's
    ``infer_reference_point``, after Ishibuchi et al. 2011); where the range is zero, plus a tenth of the
    nadir's size, and .1 where that is zero too. Where nothing is feasible, an objective without a
    configured value gets NaN.
    """
    points = _matrix(losses)
    front = points[nondominated(points, violations)]
    inferred = _beyond_nadir(front) if len(front) else np.full(len(objectives), np.nan)
    configured = [
        np.nan if objective.reference is None else sign(objective) * objective.reference
        for objective in objectives
    ]
    return np.where(np.isnan(configured), inferred, configured)


def staircase(front: ArrayLike, reference: ArrayLike) -> Array:
    """The boundary of what non-dominated points ``(k, 2)`` dominate, up to the reference or beyond it.

    Returns its corners in order, shape ``(2k + 1, 2)`` for ``k`` different points.
    """
    points = _matrix(front)
    end = np.fmax(np.asarray(reference, dtype=float), points.max(axis=0))
    first, second = np.unique(points, axis=0).T
    corners = np.empty((2 * len(first) + 1, 2))
    corners[0::2, 0], corners[1::2, 0] = np.append(first, end[0]), first
    corners[0::2, 1], corners[1::2, 1] = np.insert(second, 0, end[1]), second
    return corners


def knee(losses: ArrayLike, violations: ArrayLike | None = None) -> int | None:
    """Row of the knee point: the non-dominated row with the best trade-off; None where nothing is feasible.

    Definition (Das 1999, "On characterizing the knee of the Pareto curve"): the point farthest from the
    hyperplane through the ends of the front, towards the ideal point. With the front scaled to ideal 0 and
    nadir 1, that plane is taken to be ``sum(f) = 1``: exact for two objectives, and for more a plane that
    always exists. So it is the row with the smallest sum of scaled losses; the first of equals. For one
    objective it is the best row.
    """
    points = _matrix(losses)
    rows = np.flatnonzero(nondominated(points, violations))
    if not len(rows):
        return None
    front = points[rows]
    ideal = front.min(axis=0)
    extent = front.max(axis=0) - ideal
    scaled = (front - ideal) / np.where(extent > 0, extent, 1.0)
    return int(rows[np.argmin(scaled.sum(axis=1))])


def attainment(runs: Sequence[ArrayLike], levels: Sequence[float] = (0.25, 0.5, 0.75)) -> dict[float, Array]:
    """Empirical attainment surfaces: per level, the points that this share of the runs attains or dominates.

    Args:
        runs: one array ``(n_i, m)`` of feasible losses per independent run; m is 2 or 3 (Fonseca et al.
            2011).
        levels: shares of the runs, in (0, 1].

    Returns:
        Per level, its points, shape ``(k, m)``, sorted by the first objective.

    Raises:
        ValueError: other than two or three objectives, or a run without a point.
    """
    points = [_matrix(run) for run in runs]
    if any(run.shape[1] not in (2, 3) or not len(run) for run in points):
        raise ValueError("attainment needs two or three objectives and at least one point in every run")
    sets = np.repeat(np.arange(len(points)), [len(run) for run in points])
    percentiles = [100 * level for level in levels]
    surfaces = moocore.eaf(np.vstack(points), sets, percentiles=percentiles)
    result = {}
    for level, percentile in zip(levels, percentiles, strict=True):
        surface = surfaces[np.isclose(surfaces[:, -1], percentile), :-1]
        result[level] = surface[np.lexsort(surface.T[::-1])]
    return result


def _beyond_nadir(front: Array) -> Array:
    nadir = front.max(axis=0)
    extent = nadir - front.min(axis=0)
    size = np.where(nadir != 0, np.abs(nadir), 1.0)
    return np.asarray(nadir + _MARGIN * np.where(extent > 0, extent, size))


def _matrix(losses: ArrayLike) -> Array:
    points = np.asarray(losses, dtype=float)
    if points.ndim != 2:
        raise ValueError(f"expected losses of shape (n, m), got shape {points.shape}")
    return points


def _excess(points: Array, violations: ArrayLike | None) -> Array:
    """Sum of the violated constraints' violations, shape ``(n,)``; infinite where one is unknown."""
    if violations is None or not len(points):
        return np.zeros(len(points))
    values = np.asarray(violations, dtype=float).reshape(len(points), -1)
    return np.asarray(np.nan_to_num(np.maximum(values, 0.0), nan=np.inf).sum(axis=1))
