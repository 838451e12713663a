"""Distributions over runs: when they reach targets, and which trade-offs they attain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from orchestrator import pareto
from orchestrator.analysis.courses import Array, Run
from orchestrator.analysis.groups import ALL, Omission
from orchestrator.benchmark.records import TaskRecord

ECDF_COLUMNS = ("method", "x", "share")
ATTAINMENT_COLUMNS = ("task", "method", "share", "x", "y")

TARGETS: Array = np.logspace(2, -8, 51)
"""Distances to the optimum that COCO's ECDFs ask for (Hansen et al. 2021)."""

LEVELS = (0.25, 0.5, 0.75)
"""Shares of the seeds whose attainment surfaces are given."""


def ecdf(
    tasks: Sequence[TaskRecord], methods: Sequence[str], runs: Sequence[Run]
) -> tuple[list[tuple[str, float, float]], list[Omission]]:
    """Rows of :data:`ECDF_COLUMNS`, and the methods that were left out.

    The empirical cumulative distribution, as COCO has it, of run times: full evaluations until a target was
    reached, divided by the task's dimension, over all targets, tasks with a known optimum, and seeds. Step
    points: ``share`` holds from ``x`` on. The last point of every method lies at the largest budget. Only
    methods with a cell that counts on all of these tasks can be compared.
    """
    known = [task for task in tasks if task.optimum is not None]
    rows: list[tuple[str, float, float]] = []
    omissions: list[Omission] = []
    if not known:
        return rows, omissions
    last = max(task.evaluations / task.dimension for task in known)
    names = {task.name for task in known}
    for method in methods:
        own = [run for run in runs if run.course.method == method and run.course.task.name in names]
        if len({run.course.task.name for run in own}) < len(names):
            reason = "left out of the distribution of targets: no cell that counts on some task"
            omissions.append(Omission(ALL, method, reason))
            continue
        times, counts = np.unique(np.concatenate([_run_times(run) for run in own]), return_counts=True)
        shares = np.cumsum(counts) / (len(own) * len(TARGETS))
        rows += [(method, float(x), float(share)) for x, share in zip(times, shares, strict=True)]
        if not len(times) or times[-1] < last:
            rows.append((method, last, float(shares[-1]) if len(shares) else 0.0))
    return rows, omissions


def attainment(runs: Sequence[Run]) -> Iterator[tuple[str, str, float, float, float]]:
    """Rows of :data:`ATTAINMENT_COLUMNS`: per level the losses that this share of the seeds attained.

    For tasks with two objectives (Fonseca et al. 2011). A seed that found nothing attains nothing; a level
    with too few seeds left has no surface.
    """
    cells: dict[tuple[str, str], list[Array]] = {}
    for run in runs:
        if len(run.course.task.objectives) == 2:
            front = run.course.losses[pareto.nondominated(run.course.losses)]
            cells.setdefault((run.course.task.name, run.course.method), []).append(front)
    for (task, method), fronts in cells.items():
        found = [front for front in fronts if len(front)]
        needed = {level: math.ceil(level * len(fronts)) for level in LEVELS}
        reached = {level: seeds / len(found) for level, seeds in needed.items() if seeds <= len(found)}
        surfaces = pareto.attainment(found, sorted(set(reached.values()))) if reached else {}
        for level, share in reached.items():
            for x, y in surfaces[share]:
                yield task, method, level, float(x), float(y)


def _run_times(run: Run) -> Array:
    """Evaluations per dimension until each target that was reached; at most one entry per target."""
    task = run.course.task
    assert task.optimum is not None
    gaps = run.incumbents - task.optimum
    when = np.searchsorted(-gaps, -TARGETS, side="left")
    return run.course.spent[when[when < len(gaps)]] / task.dimension
