"""Anytime performance: incumbents as step functions of what was spent, on grids that runs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from orchestrator.analysis.courses import Array, Axis
from orchestrator.analysis.effects import interquartile_mean
from orchestrator.analysis.groups import Group
from orchestrator.analysis.stacks import Stack, Stacks
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


def task_curves(stacks: Stacks) -> pd.DataFrame:
    """Rows of :data:`CURVE_COLUMNS`: over seeds the mean, the median and the quartiles (25 % and 75 %).

    Losses, or hypervolumes (not negated) for several objectives. A curve begins when all seeds have an
    incumbent: a mean over a growing number of seeds could rise.
    """
    points = int(np.clip(_ALL_POINTS // max(len(stacks), 1), _FEW_POINTS, _POINTS))
    parts: list[dict[str, Any]] = []
    for name, stack in stacks.items():
        several = len(stack.task.objectives) > 1
        for axis, grid in _grids(stack, points).items():
            values = stack.at(axis, grid)
            for methods, cube in stack.cubes(0.0 - values if several else values):
                keys = {"task": name, "axis": axis, "seeds": cube.shape[1]}
                parts += ({**keys, **part} for part in _summaries(methods, grid, cube))
    return _framed(parts, CURVE_COLUMNS)


def _summaries(methods: Sequence[str], grid: Array, cube: Array) -> Iterator[dict[str, Any]]:
    """The curves of methods from values of shape ``(methods, seeds, points)``."""
    found: NDArray[np.bool_] = np.asarray(np.isfinite(cube).all(axis=1))
    known = np.where(found[:, None], cube, 0.0)
    low, median, high = np.quantile(known, (0.25, 0.5, 0.75), axis=1)
    shown = {"mean": known.mean(axis=1), "median": median, "low": low, "high": high}
    for place, (method, own) in enumerate(zip(methods, found, strict=True)):
        yield {"method": method, "x": grid[own], **{name: one[place, own] for name, one in shown.items()}}


def overall_curves(group: Group, stacks: Stacks) -> Iterator[pd.DataFrame]:
    """Rows of :data:`OVERALL_COLUMNS`, for each way to count time: over a group's tasks and seeds.

    ``mean`` and ``iqm`` (the mean of the middle half of all runs) are of normalised incumbents, ``rank`` is
    the mean rank by the mean over seeds. Against the share of the budget, and for tasks with recorded times,
    which may be only some of the group's, against the share of the longest time that any run took on it.

    Intervals are 95 % percentile intervals of a bootstrap over tasks, and over seeds within each (Agarwal et
    al. 2021 resample seeds alone): how far the tasks stand for others is part of the uncertainty. Draws have
    streams of their own, so every repetition gives the same.
    """
    for axis in get_args(Axis) if group.methods else ():
        timed = {task for task in group.tasks if axis == "evaluations" or stacks[task].horizon is not None}
        blocks = [[task for task in block if task in timed] for block in group.blocks]
        blocks = [block for block in blocks if block]
        if blocks:
            yield _overall(group, axis, blocks, stacks)


def _overall(group: Group, axis: Axis, blocks: Sequence[Sequence[str]], stacks: Stacks) -> pd.DataFrame:
    normalised = {task: _normalised(stacks[task], axis) for block in blocks for task in block}
    matrices = {
        method: [[normalised[task][stacks[task].rows[method]] for task in block] for block in blocks]
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


def _normalised(stack: Stack, axis: Axis) -> Array:
    """Normalised incumbents of the runs on a task, ``(runs, shares)``."""
    whole = stack.task.evaluations if axis == "evaluations" else stack.horizon or 0.0
    return stack.scale(stack.at(axis, _SHARES * whole))


def _weights(blocks: int, resamples: int, rng: np.random.Generator) -> Array:
    """Shares of the blocks in each resample, ``(resamples, blocks)``."""
    return np.asarray(rng.multinomial(blocks, np.full(blocks, 1 / blocks), resamples) / blocks)


def _interval(blocks: Sequence[Sequence[Array]], weights: Array, rng: np.random.Generator) -> Array:
    """Bounds of the mean over blocks of the means over seeds; matrices of ``(seeds, points)``."""
    seeds = np.array([len(matrix) for block in blocks for matrix in block])
    shares = weights.repeat([len(block) for block in blocks], axis=1)
    sizes = np.array([len(block) for block in blocks for _ in block])
    each = (shares / (sizes * seeds)).repeat(seeds, axis=1)
    every = np.concatenate([matrix for block in blocks for matrix in block])
    total = (each * _redrawn(seeds, len(weights), rng)) @ every
    return np.asarray(np.clip(np.quantile(total, _LEVELS, axis=0), 0.0, 1.0))


def _redrawn(seeds: NDArray[np.int64], resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each run is drawn if as many runs of each task as it has are drawn from them.

    Args:
        seeds: how many runs each task has.

    Returns:
        Shape ``(resamples, runs)``.
    """
    runs = int(seeds.sum())
    first = np.repeat(np.cumsum(seeds) - seeds, seeds)
    drawn = first + rng.integers(seeds.repeat(seeds), size=(resamples, runs))
    drawn += runs * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * runs).reshape(resamples, runs)


def _grids(stack: Stack, points: int) -> dict[Axis, Array]:
    """The grid of a task's curves: whole evaluations, and evenly spaced times if it is timed."""
    budget = stack.task.evaluations
    wholes = (
        np.arange(1, budget + 1) if budget <= points else np.unique(np.geomspace(1, budget, points).round())
    )
    grids: dict[Axis, Array] = {"evaluations": wholes.astype(float)}
    if (horizon := stack.horizon) is not None:
        grids["seconds"] = np.arange(1, points + 1) / points * horizon
    return grids


def _framed(parts: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """A frame of parts whose ``x`` says how many rows they have; other values hold for all of them."""
    lengths = [len(part["x"]) for part in parts]
    found = {}
    for name in columns:
        values = [part[name] for part in parts]
        single = bool(values) and np.ndim(values[0]) == 0
        found[name] = np.repeat(values, lengths) if single else np.concatenate([np.empty(0), *values])
    return pd.DataFrame(found, columns=list(columns))
