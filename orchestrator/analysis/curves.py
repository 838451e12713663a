"""Anytime performance: incumbents as step functions of what was spent, on grids that runs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from orchestrator.analysis.courses import Array, Axis, Run, at_all
from orchestrator.analysis.effects import interquartile_mean
from orchestrator.analysis.groups import Group
from orchestrator.benchmark.records import TaskRecord
from orchestrator.randomness import stream

CURVE_COLUMNS = ("task", "method", "axis", "x", "mean", "median", "low", "high", "seeds")
_INTERVALS = ("mean", "low", "high", "iqm", "rank", "rank_low", "rank_high")
OVERALL_COLUMNS = ("group", "method", "axis", "x", *_INTERVALS, "tasks", "seeds")

_POINTS, _FEW_POINTS = 200, 25
_ALL_POINTS = 20_000
"""Points of all tasks' curves together, so that many tasks have thinner ones."""
_SHARES = np.arange(1, 101) / 100
_RESAMPLES, _FEW_RESAMPLES = 1000, 200
_ALL_RESAMPLES = 20_000
"""Resamples times tasks, so that many tasks, whose intervals are narrow, do not take minutes."""
_LEVELS = (0.025, 0.975)


def task_curves(runs: Sequence[Run]) -> pd.DataFrame:
    """Rows of :data:`CURVE_COLUMNS`: over seeds the mean, the median and the quartiles (25 % and 75 %).

    Losses, or hypervolumes (not negated) for several objectives. A curve begins when all seeds have an
    incumbent: a mean over a growing number of seeds could rise.
    """
    by_task: dict[str, list[Run]] = {}
    for run in runs:
        by_task.setdefault(run.course.task.name, []).append(run)
    points = int(np.clip(_ALL_POINTS // max(len(by_task), 1), _FEW_POINTS, _POINTS))
    parts: list[dict[str, Any]] = []
    for name, of_task in by_task.items():
        task = of_task[0].course.task
        several = len(task.objectives) > 1
        for axis, grid in _grids(task, of_task, points).items():
            for method, of_method in _by_method(of_task).items():
                values = at_all(of_method, axis, grid)
                values = 0.0 - values if several else values
                found = np.isfinite(values).all(axis=0)
                values = values[:, found]
                low, median, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
                shown = {"mean": values.mean(axis=0), "median": median, "low": low, "high": high}
                keys = {"task": name, "method": method, "axis": axis, "seeds": len(of_method)}
                parts.append({**keys, "x": grid[found], **shown})
    return _framed(parts, CURVE_COLUMNS)


def overall_curves(group: Group, runs: Sequence[Run]) -> Iterator[pd.DataFrame]:
    """Rows of :data:`OVERALL_COLUMNS`, for each way to count time: over a group's tasks and seeds.

    ``mean`` and ``iqm`` (the mean of the middle half of all runs) are of normalised incumbents, ``rank`` is
    the mean rank by the mean over seeds. Against the share of the budget, and for tasks with recorded times,
    which may be only some of the group's, against the share of the longest time that any run took on it.

    Intervals are 95 % percentile intervals of a bootstrap over tasks, and over seeds within each (Agarwal et
    al. 2021 resample seeds alone): how far the tasks stand for others is part of the uncertainty. Draws have
    streams of their own, so every repetition gives the same.
    """
    horizons = _horizons(runs)
    chosen = set(group.tasks)
    cells: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.course.task.name in chosen:
            cells.setdefault(run.key[:2], []).append(run)
    for axis in get_args(Axis):
        blocks = [[t for t in block if axis == "evaluations" or t in horizons] for block in group.blocks]
        blocks = [block for block in blocks if block]
        if blocks and group.methods:
            yield _overall(group, axis, blocks, cells, horizons)


def _overall(
    group: Group,
    axis: Axis,
    blocks: Sequence[Sequence[str]],
    cells: Mapping[tuple[str, str], Sequence[Run]],
    horizons: Mapping[str, float],
) -> pd.DataFrame:
    matrices = {
        method: [
            [_normalised(cells[task, method], axis, horizons.get(task, 0.0)) for task in block]
            for block in blocks
        ]
        for method in group.methods
    }
    seeds = min(len(matrix) for own in matrices.values() for block in own for matrix in block)
    means = np.array(
        [
            [np.mean([matrix.mean(axis=0) for matrix in block], axis=0) for block in matrices[method]]
            for method in group.methods
        ]
    )
    # Means that rounding tells apart share a rank.
    ranks = stats.rankdata(np.round(means, 12), axis=0)
    resamples = int(np.clip(_ALL_RESAMPLES // len(blocks), _FEW_RESAMPLES, _RESAMPLES))
    parts = []
    for place, method in enumerate(group.methods):
        rng = stream(0, "bootstrap", group.name, method, axis)
        weights = _weights(len(blocks), resamples, rng)
        low, high = _interval(matrices[method], weights, rng)
        rank_low, rank_high = np.quantile(weights @ ranks[place], _LEVELS, axis=0)
        every = np.concatenate([matrix for block in matrices[method] for matrix in block])
        shown = (means[place].mean(axis=0), low, high, interquartile_mean(every))
        numbers = (*shown, ranks[place].mean(axis=0), rank_low, rank_high)
        keys = {"group": group.name, "method": method, "axis": axis, "x": _SHARES}
        counts = {"tasks": len(blocks), "seeds": seeds}
        parts.append({**keys, **dict(zip(_INTERVALS, numbers, strict=True)), **counts})
    return _framed(parts, OVERALL_COLUMNS)


def _normalised(runs: Sequence[Run], axis: Axis, horizon: float) -> Array:
    """Normalised incumbents of one method on one task, ``(seeds, shares)``."""
    whole = runs[0].course.task.evaluations if axis == "evaluations" else horizon
    return runs[0].scale(at_all(runs, axis, _SHARES * whole))


def _weights(blocks: int, resamples: int, rng: np.random.Generator) -> Array:
    """Shares of the blocks in each resample, ``(resamples, blocks)``."""
    return np.asarray(rng.multinomial(blocks, np.full(blocks, 1 / blocks), resamples) / blocks)


def _interval(blocks: Sequence[Sequence[Array]], weights: Array, rng: np.random.Generator) -> Array:
    """Bounds of the mean over blocks of the means over seeds; matrices of ``(seeds, points)``."""
    total: Array = np.zeros((len(weights), blocks[0][0].shape[1]))
    for block, share in zip(blocks, weights.T, strict=True):
        for matrix in block:
            seeds = len(matrix)
            draws: NDArray[np.int64] = rng.multinomial(seeds, np.full(seeds, 1 / seeds), len(weights))
            total += (draws * (share / (seeds * len(block)))[:, None]) @ matrix
    return np.asarray(np.clip(np.quantile(total, _LEVELS, axis=0), 0.0, 1.0))


def _grids(task: TaskRecord, runs: Sequence[Run], points: int) -> dict[Axis, Array]:
    """The grid of a task's curves: whole evaluations, and evenly spaced times if it is timed."""
    budget = task.evaluations
    wholes = (
        np.arange(1, budget + 1) if budget <= points else np.unique(np.geomspace(1, budget, points).round())
    )
    grids: dict[Axis, Array] = {"evaluations": wholes.astype(float)}
    horizon = _horizons(runs).get(task.name)
    if horizon is not None:
        grids["seconds"] = np.arange(1, points + 1) / points * horizon
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


def _framed(parts: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """A frame of parts whose ``x`` says how many rows they have; other values hold for all of them."""
    lengths = [len(part["x"]) for part in parts]
    found = {}
    for name in columns:
        values = [np.broadcast_to(part[name], n) for part, n in zip(parts, lengths, strict=True)]
        found[name] = np.concatenate(values) if values else np.empty(0)
    return pd.DataFrame(found, columns=list(columns))
