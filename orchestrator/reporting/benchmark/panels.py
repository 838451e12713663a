"""Lines over an axis: anytime curves, distributions of targets, attainment surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.benchmark.records import TaskRecord
from orchestrator.reporting.benchmark.view import MOST_BANDS, View, group_name
from orchestrator.reporting.scales import Floats, bulk, logarithmic, objective_label
from orchestrator.reporting.style import time_scale
from workloads.contract import Objective

if TYPE_CHECKING:
    import pandas as pd

Time = Literal["evaluations", "seconds"]

SMALLEST_GAP = 1e-8
"""A smaller distance to the optimum counts as this one: the last target of BBOB."""


@dataclass(frozen=True)
class Line:
    """One method's line; ``low`` and ``high`` bound its band, where it has one.

    Args:
        steps: whether a value holds until the next ``x``; otherwise points are joined straight.
        thin: whether it only accompanies another line of the method.
    """

    method: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    steps: bool = True
    thin: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines that share their axes.

    Args:
        title, x_label, y_label: with units.
        lines: in the order of methods.
        log_x, log_y: whether an axis is logarithmic.
        percent: whether ``x`` is a share, to be written in per cent.
        y_limits: cut off a few values that would squash the rest.
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    percent: bool = False
    y_limits: tuple[float, float] | None = None


def overall(view: View, time: Time) -> list[Panel]:
    """Normalised incumbents against the share of the budget that is spent, one panel per group."""
    table = view.analysis.overall
    table = table[table["axis"] == time]
    budget = "share of the longest simulated time" if time == "seconds" else "share of the budget spent"
    panels = []
    for group in (one for one in view.groups if (table["group"] == one).any()):
        rows = table[table["group"] == group]
        lines = _lines(view, rows)
        # The normalised score is spread over decades: all methods soon leave the worst far behind.
        positive = _positive([line.y for line in lines])
        log = positive.size > 0 and positive.max() > 20 * positive.min()
        label = "normalised score (lower is better)"
        panels.append(
            Panel(
                _of_tasks(view, group, int(rows["tasks"].iloc[0])),
                budget,
                label,
                _floored(lines) if log else lines,
                log_y=log,
                percent=True,
            )
        )
    return panels


def _of_tasks(view: View, group: str, shown: int) -> str:
    """A group's name; where only some of its tasks have recorded times, with how many."""
    ranks = view.analysis.ranks
    compared = int(ranks[ranks["group"] == group]["tasks"].max())
    name = group_name(group)
    return name if shown == compared else f"{name}: the {shown} of {compared} with recorded times"


def course(view: View, task: TaskRecord, time: Time) -> Panel | None:
    """The incumbents on one task, in its own units; None where there are none."""
    table = view.analysis.curves
    rows = table[(table["task"] == task.name) & (table["axis"] == time)]
    if rows.empty:
        return None
    scale, x_label = (1.0, "evaluations at full fidelity")
    if time == "seconds":
        scale, unit = time_scale(rows["x"].to_numpy())
        x_label = f"simulated time ({unit})"
    lines = _lines(view, rows, scale)
    if not lines:
        return None
    if len(task.objectives) > 1:
        values = np.concatenate([line.y for line in lines])
        return Panel(
            task.name, x_label, "hypervolume (higher is better)", lines, y_limits=bulk(values, _ends(lines))
        )
    return _single(task, x_label, lines)


def _single(task: TaskRecord, x_label: str, lines: tuple[Line, ...]) -> Panel:
    name = task.objectives[0]
    if task.optimum is not None:
        gaps = tuple(_shifted(line, task.optimum) for line in lines)
        return Panel(
            task.name, x_label, f"{name}: gap to the optimum", _floored(gaps, SMALLEST_GAP), log_y=True
        )
    objective = objective_of(task, 0)
    own = lines if objective.direction == "min" else tuple(map(_negated, lines))
    values = np.concatenate([line.y for line in own])
    low = np.concatenate([line.y if line.low is None else line.low for line in own])
    log = logarithmic(np.append(values, low), objective)
    limits = None if log else bulk(values, _ends(own))
    return Panel(task.name, x_label, objective_label(objective), own, log_y=log, y_limits=limits)


def targets(view: View) -> Panel | None:
    """The share of targets that is reached; None where no task has a known optimum."""
    table = view.analysis.ecdf
    if table.empty:
        return None
    lines = tuple(
        Line(method, rows["x"].to_numpy(float), rows["share"].to_numpy(float))
        for method, rows in _by_method(view, table)
    )
    title, share = "tasks with a known optimum", "share of (target, task, seed) reached"
    return Panel(title, "full evaluations / dimension", share, lines, log_x=True)


def attainment(view: View, task: TaskRecord) -> Panel | None:
    """What is attained in a half of the runs, between what a quarter and three quarters attain."""
    table = view.analysis.attainment
    rows = table[table["task"] == task.name]
    if rows.empty:
        return None
    objectives = [objective_of(task, place) for place in (0, 1)]
    signs = np.array([1 if one.direction == "min" else -1 for one in objectives])
    corners = rows[["x", "y"]].to_numpy(float)
    end = corners.max(axis=0) + 0.04 * np.ptp(corners, axis=0)
    lines = []
    for method, own in _by_method(view, rows):
        for share, surface in own.groupby("share"):
            if share == 0.5 or len(view.looks) <= MOST_BANDS:
                x, y = (_staircase(surface[["x", "y"]].to_numpy(float), end) * signs).T
                lines.append(Line(method, x, y, steps=False, thin=share != 0.5))
    x_label, y_label = map(objective_label, objectives)
    return Panel(task.name, x_label, y_label, tuple(lines))


def _staircase(corners: Floats, end: Floats) -> Floats:
    """The boundary of what the corners dominate, as far as ``end``; losses, shape ``(k, 2)``."""
    corners = corners[np.lexsort((-corners[:, 1], corners[:, 0]))]
    x = np.repeat(np.append(corners[:, 0], end[0]), 2)[:-1]
    y = np.repeat(np.append(end[1], corners[:, 1]), 2)[1:]
    return np.column_stack([x, np.minimum.accumulate(y)])


def _lines(view: View, rows: pd.DataFrame, scale: float = 1.0) -> tuple[Line, ...]:
    """A line per method, in the study's order, without what is not known yet."""
    banded = len(view.looks) <= MOST_BANDS
    lines = []
    for method, every in _by_method(view, rows):
        own = every[every["mean"].notna()]
        if own.empty:
            continue
        low, high = (own[name].to_numpy(float) if banded else None for name in ("low", "high"))
        lines.append(Line(method, own["x"].to_numpy(float) / scale, own["mean"].to_numpy(float), low, high))
    return tuple(lines)


def _by_method(view: View, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    grouped = dict(list(rows.groupby("method", sort=False, observed=True)))
    return [(method, grouped[method]) for method in view.looks if method in grouped]


def objective_of(task: TaskRecord, place: int) -> Objective:
    """An objective of a task, with its direction."""
    return Objective(task.objectives[place], "max" if task.directions[place] == "max" else "min")


def _shifted(line: Line, by: float) -> Line:
    low, high = (None if one is None else one - by for one in (line.low, line.high))
    return Line(line.method, line.x, line.y - by, low, high)


def _negated(line: Line) -> Line:
    low, high = (None if one is None else -one for one in (line.high, line.low))
    return Line(line.method, line.x, -line.y, low, high)


def _floored(lines: Sequence[Line], floor: float | None = None) -> tuple[Line, ...]:
    """Lines for a logarithmic axis: nothing below the floor, which else is the smallest positive mean."""
    least = _positive([line.y for line in lines]).min(initial=np.inf) if floor is None else floor

    def raised(values: Floats | None) -> Floats | None:
        return None if values is None else np.maximum(values, least)

    return tuple(
        Line(line.method, line.x, np.maximum(line.y, least), raised(line.low), raised(line.high))
        for line in lines
    )


def _positive(values: Sequence[Floats]) -> Floats:
    every: Floats = np.concatenate([np.empty(0), *values])
    return every[np.isfinite(every) & (every > 0)]


def _ends(lines: Sequence[Line]) -> Floats:
    return np.array([line.y[-1] for line in lines if line.y.size])
