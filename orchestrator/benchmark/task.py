"""A task of a benchmark: a workload with a budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from search_spaces import SearchSpace
from workloads.capabilities import ConstrainedWorkload, Facts, KnownWorkload
from workloads.contract import Objective, Workload

TaskType = Literal["BB", "MF", "MO", "MOMF"]
"""Black box or multi-fidelity, with one objective or several (MO, MOMF), as carps names them."""


@dataclass(frozen=True)
class Task:
    """A workload with the budget that every method gets for it.

    Args:
        name: unique in a study, and the same in every study: the suite, then the instance's parameters.
        suite: the family that it belongs to.
        workload: what is evaluated.
        multi_fidelity: whether methods may evaluate at less than full fidelity.
        evaluations: the budget, in evaluations at full fidelity; one at a smaller fidelity costs its share.
        anytime: whether a model at less than full fidelity counts as a result too.
        problem: what it is a variant of; tasks of one problem count as one. Empty: of itself alone.
    """

    name: str
    suite: str
    workload: Workload
    multi_fidelity: bool
    evaluations: int
    anytime: bool = False
    problem: str = ""

    @property
    def type(self) -> TaskType:
        """What a method must be able to do."""
        several = len(self.workload.objectives) > 1
        if self.multi_fidelity:
            return "MOMF" if several else "MF"
        return "MO" if several else "BB"

    @property
    def space(self) -> SearchSpace:
        return self.workload.space

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return self.workload.objectives

    @property
    def constraints(self) -> tuple[Objective, ...]:
        """Metrics that must keep a bound and are not optimised."""
        return self.workload.constraints if isinstance(self.workload, ConstrainedWorkload) else ()

    @property
    def full(self) -> int:
        """The fidelity of a full evaluation, in the workload's unit."""
        return self.workload.fidelity.largest

    @property
    def facts(self) -> Facts:
        """What is known about it beforehand."""
        return self.workload.facts if isinstance(self.workload, KnownWorkload) else Facts()


def usual_evaluations(dimension: int) -> int:
    """carps' budget, ``ceil(20 + 40 * sqrt(dimension))`` evaluations at full fidelity."""
    return math.ceil(20 + 40 * math.sqrt(dimension))
