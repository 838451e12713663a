"""What a trial reports, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.optimizers.rungs import Rungs
from orchestrator.search.assemble import constraints_of
from orchestrator.search.course import Assignment
from orchestrator.search.trial_run import Goal
from workloads.contract import Workload


def goal_of(study: Mapping[str, Any], workload: Workload, assignment: Assignment) -> Goal:
    """The goal of a trial in a search study.

    Args:
        study: the resolved configuration.
    """
    search, fidelity = study["search"], assignment.suggestion.fidelity
    rungs = Rungs.of(workload.fidelity, search["first_rung"], search["eta"])
    return Goal(
        rungs.up_to(fidelity),
        workload.objectives,
        constraints_of(workload, search["constraints"]),
        tested=fidelity in (None, rungs.largest),
        judged=bool(search["stopping"]),
    )
