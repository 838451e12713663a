"""What methods attain of two objectives, task by task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Picture

from orchestrator.benchmark.records import TaskRecord
from orchestrator.reporting.benchmark.panel_chart import chart
from orchestrator.reporting.benchmark.panel_picture import in_parts
from orchestrator.reporting.benchmark.panels import Line, Panel, by_method, objective_of
from orchestrator.reporting.benchmark.view import MOST_BANDS, View
from orchestrator.reporting.document import charted, paragraph
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats, logarithmic, objective_label


def surface(view: View, task: TaskRecord) -> Panel | None:
    """What is attained in a half of the runs, between what a quarter and three quarters attain."""
    columns = view.of_task("attainment", task.name)
    if not len(columns["task"]):
        return None
    rows = pd.DataFrame(columns)
    objectives = [objective_of(task, place) for place in (0, 1)]
    signs = np.array([1 if one.direction == "min" else -1 for one in objectives])
    corners = rows[["x", "y"]].to_numpy(float)
    end = corners.max(axis=0) + 0.04 * np.ptp(corners, axis=0)
    lines = []
    for method, own in by_method(view, rows):
        for share, surface in own.groupby("share"):
            if share == 0.5 or len(view.looks) <= MOST_BANDS:
                x, y = (_staircase(surface[["x", "y"]].to_numpy(float), end) * signs).T
                lines.append(Line(method, x, y, steps=False, thin=share != 0.5))
    x_label, y_label = map(objective_label, objectives)
    # On a linear axis, values that span decades lie in a corner.
    log_x, log_y = (logarithmic(corners[:, place] * signs[place], objectives[place]) for place in (0, 1))
    return Panel(task.name, x_label, y_label, tuple(lines), log_x=log_x, log_y=log_y)


def _staircase(corners: Floats, end: Floats) -> Floats:
    """The boundary of what the corners dominate, as far as ``end``; losses, shape ``(k, 2)``."""
    corners = corners[np.lexsort((-corners[:, 1], corners[:, 0]))]
    x = np.repeat(np.append(corners[:, 0], end[0]), 2)[:-1]
    y = np.repeat(np.append(end[1], corners[:, 1]), 2)[1:]
    return np.column_stack([x, np.minimum.accumulate(y)])


def describe(view: View) -> Sequence[Panel] | None:
    """The surfaces of all tasks that have one."""
    found = [surface(view, task) for task in view.results.tasks.values()]
    return [panel for panel in found if panel] or None


def of_task(view: View, task: TaskRecord) -> str:
    """HTML that shows one task's surfaces; empty where it has none."""
    if (panel := surface(view, task)) is None:
        return ""
    text = "Attained by a half of the seeds" + view.banded("; thin: by a quarter, and by three quarters")
    return paragraph(f"{text}.") + charted(chart([panel], view.looks))


def _pictures(view: View, shown: Sequence[Panel]) -> Iterator[tuple[str, Picture]]:
    title = "attained by half of the seeds" + view.banded("; thin: by a quarter, and by three quarters")
    yield from in_parts(view, title, shown)


ATTAINMENT: Figure[View, Sequence[Panel]] = Figure(
    name="attainment",
    heading="Attainment surfaces",
    serves="studies with a task that has two objectives",
    describe=describe,
    draw=_pictures,
    # The page shows them with the other numbers of their task.
    section=lambda *_: "",
    parts="number",
    vector=False,
)
