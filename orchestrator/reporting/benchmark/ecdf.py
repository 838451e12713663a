"""How many targets methods reach, on tasks with a known optimum."""

from __future__ import annotations

from orchestrator.reporting.benchmark.panel_chart import chart
from orchestrator.reporting.benchmark.panel_picture import draw
from orchestrator.reporting.benchmark.panels import Line, Panel, by_method
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.document import charted, paragraph
from orchestrator.reporting.figure import Figure

_CAPTION = "How many of the distances to the optimum, from far to near, were reached, over all seeds."


def describe(view: View) -> Panel | None:
    """The share of targets that is reached; None where no task has a known optimum."""
    table = view.analysis.ecdf
    if table.empty:
        return None
    lines = tuple(
        Line(method, rows["x"].to_numpy(float), rows["share"].to_numpy(float))
        for method, rows in by_method(view, table)
    )
    title, share = "tasks with a known optimum", "share of (target, task, seed) reached"
    return Panel(title, "full evaluations / dimension", share, lines, log_x=True)


ECDF: Figure[View, Panel] = Figure(
    name="ecdf",
    heading="Targets reached",
    serves="studies with a task whose optimum is known",
    describe=describe,
    draw=lambda view, shown: [("", draw(view, "targets reached", [shown], columns=1, size=(8.0, 5.0)))],
    section=lambda view, shown: paragraph(_CAPTION) + charted(chart([shown], view.looks)),
)
