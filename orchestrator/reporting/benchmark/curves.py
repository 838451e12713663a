"""The incumbents of the methods, task by task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure as Picture

from orchestrator.benchmark.records import TaskRecord
from orchestrator.reporting.benchmark import attainment, html_tables
from orchestrator.reporting.benchmark.finals import finals
from orchestrator.reporting.benchmark.panel_chart import chart
from orchestrator.reporting.benchmark.panel_picture import in_parts
from orchestrator.reporting.benchmark.panels import (
    TIMES,
    Line,
    Panel,
    Time,
    floored,
    lines_of,
    objective_of,
)
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.document import charted, chooser, paragraph
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats, bulk, logarithmic, objective_label
from orchestrator.reporting.style import time_scale

MOST_PICTURED = 60
"""Tasks in pictures; the page has all."""
SMALLEST_GAP = 1e-8
"""A smaller distance to the optimum counts as this one: the last target of BBOB."""


def course(view: View, task: TaskRecord, time: Time) -> Panel | None:
    """The incumbents on one task, in its own units; None where there are none."""
    rows = view.of_task("curves", task.name)
    chosen = rows["axis"] == time
    if not chosen.any():
        return None
    rows = {name: column[chosen] for name, column in rows.items()}
    scale, x_label = (1.0, "evaluations at full fidelity")
    if time == "seconds":
        scale, unit = time_scale(rows["x"])
        x_label = f"simulated time ({unit})"
    lines = lines_of(view, rows, scale, ("median", "low", "high"))
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
            task.name, x_label, f"{name}: gap to the optimum", floored(gaps, SMALLEST_GAP), log_y=True
        )
    objective = objective_of(task, 0)
    own = lines if objective.direction == "min" else tuple(map(_negated, lines))
    values = np.concatenate([line.y for line in own])
    low = np.concatenate([line.y if line.low is None else line.low for line in own])
    log = logarithmic(np.append(values, low), objective)
    limits = None if log else bulk(values, _ends(own))
    return Panel(task.name, x_label, objective_label(objective), own, log_y=log, y_limits=limits)


def _shifted(line: Line, by: float) -> Line:
    low, high = (None if one is None else one - by for one in (line.low, line.high))
    return Line(line.method, line.x, line.y - by, low, high)


def _negated(line: Line) -> Line:
    low, high = (None if one is None else -one for one in (line.high, line.low))
    return Line(line.method, line.x, -line.y, low, high)


def _ends(lines: Sequence[Line]) -> Floats:
    return np.array([line.y[-1] for line in lines if line.y.size])


Courses = Mapping[Time, Mapping[str, Panel]]
"""Panels by way to count time, then by task."""


def describe(view: View) -> Courses | None:
    """The courses of all tasks that have any; None where no task has a score."""
    if view.analysis.scores.empty:
        return None
    found: dict[Time, dict[str, Panel]] = {}
    for time in TIMES:
        for task in view.results.tasks.values():
            if panel := course(view, task, time):
                found.setdefault(time, {})[task.name] = panel
    return found


def _pictures(view: View, shown: Courses) -> Iterator[tuple[str, Picture]]:
    title = "incumbents, median over seeds" + view.banded(", with quartiles")
    for time, panels in shown.items():
        for number, picture in in_parts(view, title, list(panels.values())[:MOST_PICTURED]):
            yield f"{time}_{number}", picture


def _section(view: View, shown: Courses) -> str:
    scored = view.tasks_with(view.analysis.scores["task"])
    choices = [(f"{task.name} ({task.type})", _task(view, task, shown)) for task in scored]
    bands = view.banded(", with quartiles")
    counted = "at full fidelity, or at any where the suite says anytime"
    text = f"The best so far ({counted}): the median over seeds{bands}."
    return paragraph(text) + chooser("Task", choices)


def _task(view: View, task: TaskRecord, shown: Courses) -> str:
    parts = [paragraph(html_tables.described(task)), finals(view, task)]
    panels = [panels[task.name] for panels in shown.values() if task.name in panels]
    parts += [charted(chart([panel], view.looks)) for panel in panels]
    return "".join([*parts, attainment.of_task(view, task)])


CURVES: Figure[View, Courses] = Figure(
    name="curves",
    heading="Task by task",
    serves="studies with a result on any task",
    describe=describe,
    draw=_pictures,
    section=_section,
    parts="axis>_<number",
    vector=False,
)
