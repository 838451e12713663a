"""Which publications of a population are worth their weights: the best ever, or the Pareto set so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator import pareto
from orchestrator.population.records import MemberInterval
from orchestrator.population.rules.contract import Floats
from orchestrator.population.rules.rankings import violations
from workloads.contract import Objective

Selection = Callable[[Sequence[MemberInterval]], list[MemberInterval]]
"""Those of healthy publications whose weights are kept, best first."""


def best(publications: Sequence[MemberInterval]) -> list[MemberInterval]:
    """The one with the lowest loss in the first objective; of equals the earliest."""
    return [min(publications, key=lambda one: one.rank)] if publications else []


@dataclass(frozen=True)
class ParetoSelection:
    """Those that no other dominates, at most ``limit``, by their losses in the first objective.

    Bounds count as in :func:`orchestrator.pareto.ranks`: while nobody keeps them, whoever violates them least
    is kept. Of equal publications the earliest stays. Above the limit, the one that adds the least
    hypervolume goes, again and again, but the best of an objective only when nothing else is left.

    Args:
        objectives: of the study.
        limit: publications that are kept at most.
    """

    objectives: tuple[Objective, ...]
    limit: int

    def __call__(self, publications: Sequence[MemberInterval]) -> list[MemberInterval]:
        if not publications:
            return []
        ordered = sorted(publications, key=lambda one: one.rank)
        losses = np.array([one.losses for one in ordered])
        first = np.zeros(len(ordered), dtype=bool)
        first[np.unique(losses, axis=0, return_index=True)[1]] = True
        front = np.flatnonzero(first & (pareto.ranks(losses, violations(losses, self.objectives)) == 0))
        while len(front) > self.limit:
            front = np.delete(front, self._least(losses[front]))
        return [ordered[row] for row in front]

    def _least(self, front: Floats) -> int:
        """The row that adds the least; the last of equals."""
        added = pareto.contributions(front, pareto.reference_point(self.objectives, front))
        added[front.argmin(axis=0)] = np.inf
        return len(added) - 1 - int(added[::-1].argmin())


def selection_of(objectives: Sequence[Objective], limit: int) -> Selection:
    """What a study keeps.

    Args:
        objectives: of the study.
        limit: how many publications of several objectives it keeps at most; of one objective it keeps one.
    """
    return best if len(objectives) == 1 else ParetoSelection(tuple(objectives), limit)
