"""Anytime performance: incumbents as step functions of what was spent, on grids that runs share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.courses import Array, Axis, Run
from orchestrator.analysis.groups import Group
from orchestrator.benchmark.records import TaskRecord
from orchestrator.randomness import stream

CURVE_COLUMNS = ("task", "method", "axis", "x", "mean", "low", "high")
OVERALL_COLUMNS = ("group", "method", "axis", "x", "mean", "low", "high", "tasks")

_POINTS = 200
_SHARES = np.arange(1, 101) / 100
_RESAMPLES = 1000
_LEVELS = (0.025, 0.975)

Row = tuple[str, str, Axis, float, float, float, float]
OverallRow = tuple[str, str, Axis, float, float, float, float, int]


def task_curves(runs: Sequence[Run]) -> Iterator[Row]:
    """Rows of :data:`CURVE_COLUMNS`: the mean over seeds and their quartiles (25 % and 75 %).

    Losses, or hypervolumes (not negated) for several objectives. A curve begins when all seeds have an
    incumbent: a mean over a growing number of seeds could rise.
    """
    by_task: dict[str, list[Run]] = {}
    for run in runs:
        by_task.setdefault(run.course.task.name, []).append(run)
    for of_task in by_task.values():
        task = of_task[0].course.task
        several = len(task.objectives) > 1
        for axis, grid in _grids(task, of_task).items():
            for method, of_method in _by_method(of_task).items():
                values = np.stack([run.at(axis, grid) for run in of_method])
                values = 0.0 - values if several else values
                found = np.isfinite(values).all(axis=0)
                low, high = np.quantile(values[:, found], (0.25, 0.75), axis=0)
                mean = values[:, found].mean(axis=0)
                for x, middle, below, above in np.column_stack([grid[found], mean, low, high]).tolist():
                    yield task.name, method, axis, x, middle, below, above


def overall_curves(group: Group, runs: Sequence[Run]) -> Iterator[OverallRow]:
    """Rows of :data:`OVERALL_COLUMNS`: normalised incumbents, the mean over a group's tasks and seeds.

    Against the share of the budget, and for tasks with recorded times, which may be only some of the group's,
    against the share of the longest time that any run took on the task. The interval is the 95 % percentile
    interval of a bootstrap over seeds, stratified by task (Agarwal et al. 2021): tasks
    are chosen, seeds are random. Its draws have streams of their own, so every repetition gives the same.
    """
    horizons = _horizons(runs)
    cells: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        cells.setdefault((run.course.task.name, run.course.method), []).append(run)
    for axis in get_args(Axis):
        tasks = [task for task in group.tasks if axis == "evaluations" or task in horizons]
        for method in group.methods if tasks else ():
            matrices = [_normalised(cells[task, method], axis, horizons.get(task, 0.0)) for task in tasks]
            rng = stream(0, "bootstrap", group.name, method, axis)
            mean = np.mean([matrix.mean(axis=0) for matrix in matrices], axis=0)
            low, high = _interval(matrices, rng)
            for x, middle, below, above in np.column_stack([_SHARES, mean, low, high]).tolist():
                yield group.name, method, axis, x, middle, below, above, len(tasks)


def _normalised(runs: Sequence[Run], axis: Axis, horizon: float) -> Array:
    """Normalised incumbents of one method on one task, ``(seeds, shares)``."""
    whole = runs[0].course.task.evaluations if axis == "evaluations" else horizon
    return np.stack([run.scale(run.at(axis, _SHARES * whole)) for run in runs])


def _interval(matrices: Sequence[Array], rng: np.random.Generator) -> Array:
    """Bootstrap interval of the mean over tasks of the means over seeds; matrices ``(seeds, points)``."""
    total: Array = np.zeros((_RESAMPLES, matrices[0].shape[1]))
    for matrix in matrices:
        seeds = len(matrix)
        draws: NDArray[np.int64] = rng.multinomial(seeds, np.full(seeds, 1 / seeds), _RESAMPLES)
        total += (draws / seeds) @ matrix
    return np.asarray(np.quantile(total / len(matrices), _LEVELS, axis=0))


def _grids(task: TaskRecord, runs: Sequence[Run]) -> dict[Axis, Array]:
    """The grid of a task's curves: whole evaluations, and evenly spaced times if it is timed."""
    budget = task.evaluations
    wholes = (
        np.arange(1, budget + 1) if budget <= _POINTS else np.unique(np.geomspace(1, budget, _POINTS).round())
    )
    grids: dict[Axis, Array] = {"evaluations": wholes.astype(float)}
    horizon = _horizons(runs).get(task.name)
    if horizon is not None:
        grids["seconds"] = np.arange(1, _POINTS + 1) / _POINTS * horizon
    return grids


def _horizons(runs: Sequence[Run]) -> dict[str, float]:
    """The longest recorded time of any run, by timed task."""
    longest: dict[str, float] = {}
    for run in runs:
        task = run.course.task
        if task.timed and len(run.course.end):
            longest[task.name] = max(longest.get(task.name, 0.0), float(run.course.end[-1]))
    return longest


def _by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.course.method, []).append(run)
    return found
