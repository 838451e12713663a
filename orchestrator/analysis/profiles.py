"""Distributions over runs: when they reach targets, and which trade-offs they attain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from orchestrator import pareto
from orchestrator.analysis.courses import Array, Run
from orchestrator.analysis.groups import ALL, Omission
from orchestrator.analysis.stacks import Stack, Stacks
from orchestrator.benchmark.records import TaskRecord

ECDF_COLUMNS = ("method", "x", "share")
ATTAINMENT_COLUMNS = ("task", "method", "share", "x", "y")

TARGETS: Array = np.logspace(2, -8, 51)
"""Distances to the optimum that COCO's ECDFs ask for (Hansen et al. 2021)."""

LEVELS = (0.25, 0.5, 0.75)
"""Shares of the seeds whose attainment surfaces are given."""


def ecdf(
    tasks: Sequence[TaskRecord], methods: Sequence[str], stacks: Stacks
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
    reached = {task.name: _run_times(stacks[task.name]) for task in known if task.name in stacks}
    for method in methods:
        own = [reached[task.name][method] for task in known if method in reached.get(task.name, ())]
        if len(own) < len(known):
            reason = "left out of the distribution of targets: no cell that counts on some task"
            omissions.append(Omission(ALL, method, reason))
            continue
        runs = sum(len(found) for found in own)
        every = np.concatenate([found.ravel() for found in own])
        times, counts = np.unique(every[np.isfinite(every)], return_counts=True)
        shares = np.cumsum(counts) / (runs * len(TARGETS))
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


def _run_times(stack: Stack) -> Mapping[str, Array]:
    """By method, evaluations per dimension until each target, ``(runs, targets)``; infinite: not reached."""
    assert stack.task.optimum is not None
    gaps = stack.incumbents[:, 1:] - stack.task.optimum
    when = np.stack([np.searchsorted(-own, -TARGETS, side="left") for own in gaps])
    times = np.take_along_axis(stack.spent, when, axis=1) / stack.task.dimension
    return {method: times[rows] for method, rows in stack.rows.items()}
