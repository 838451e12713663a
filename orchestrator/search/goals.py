"""What a trial reports and when, and whose weights are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.optimizers.rungs import Rungs
from orchestrator.run.directory import RunDirectory
from orchestrator.search.assemble import constraints_of
from orchestrator.search.course import Assignment
from orchestrator.search.finals.models import TrialModels
from orchestrator.search.trials.trial_run import Goal
from workloads.contract import Workload


def models_of(study: Mapping[str, Any], run: RunDirectory, workload: Workload) -> TrialModels:
    """What keeps the weights of a worker's best trials.

    Args:
        study: the resolved configuration; one of an earlier version keeps none.
    """
    search = study["search"]
    constraints = constraints_of(workload, search["constraints"])
    full, limit = workload.fidelity.largest, search.get("archive", 0)
    if limit:  # Any of the finalists may turn out to be the best.
        limit = max(limit, search.get("finalists", 0))
    return TrialModels(run.models, workload.objectives, constraints, full, limit)


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
        continued=fidelity is not None and fidelity < rungs.largest,
    )
