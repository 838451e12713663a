"""Which trials of a search are the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator import pareto
from orchestrator.archive import Archive
from search_spaces import Config
from search_spaces.values import config_key
from workloads.contract import Objective


def best_rows(losses: NDArray[np.float64], objectives: Sequence[Objective], limit: int | None) -> list[int]:
    """Which trials are the best, best in the first objective first.

    With one objective the lowest losses, of equals the earliest. With several the Pareto set; above the
    limit, the one that adds the least hypervolume goes, again and again, but the best of an objective last.

    Args:
        losses: of feasible trials that were trained fully, ``(n, m)``.
        objectives: of the study.
        limit: how many there are at most; None: with one objective all, with several the whole Pareto set.
    """
    order = np.lexsort(losses.T[::-1])
    if losses.shape[1] == 1:
        return [int(row) for row in order[:limit]]
    rows = order[pareto.nondominated(losses[order])]
    while limit is not None and len(rows) > limit:
        front = losses[rows]
        added = pareto.contributions(front, pareto.reference_point(objectives, front))
        added[front.argmin(axis=0)] = np.inf
        rows = np.delete(rows, len(added) - 1 - int(added[::-1].argmin()))
    return [int(row) for row in rows]


def best_of(archive: Archive, limit: int | None) -> list[int]:
    """The best feasible trials that were trained fully, see :func:`best_rows`, by their places."""
    feasible = np.isfinite(archive.losses).all(axis=1) & ~(archive.violations > 0).any(axis=1)
    rows = np.flatnonzero(feasible)
    return [int(rows[row]) for row in best_rows(archive.losses[rows], archive.objectives, limit)]


def best_configurations(archive: Archive, limit: int, config: Callable[[int], Config]) -> list[int]:
    """The best trials with different configurations, by their places.

    Args:
        limit: how many there are at most.
        config: that of the trial at a place.
    """
    seen: dict[str, int] = {}
    for row in best_of(archive, None):
        seen.setdefault(config_key(config(row)), row)
    rows = np.array(list(seen.values()), dtype=int)
    return [int(rows[row]) for row in best_rows(archive.losses[rows], archive.objectives, limit)]
