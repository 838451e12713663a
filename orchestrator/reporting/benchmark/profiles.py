"""Performance and data profiles: on how many tasks methods are fast, and how many runs a budget solves."""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.targets import PROFILED
from orchestrator.reporting.benchmark.panel_chart import chart
from orchestrator.reporting.benchmark.panel_picture import draw
from orchestrator.reporting.benchmark.panels import Line, Panel, by_method
from orchestrator.reporting.benchmark.view import View, counted, group_name
from orchestrator.reporting.document import charted, paragraph
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats

_CAPTION = (
    f"The target is a normalised score of {PROFILED:g}. Performance: the share of tasks on which a method's "
    "expected time is at most that many times the best method's. Data: the share of (task, seed) solved "
    "within that many times (parameters + 1) full evaluations."
)
_KINDS = {
    "performance": ("times the best method's expected time", "share of tasks", "tasks"),
    "data": ("full evaluations / (parameters + 1)", "share of (task, seed)", "runs"),
}


def describe(view: View) -> tuple[Panel, ...] | None:
    """Both profiles of the widest group; None where no target was reached."""
    table = view.analysis.profiles
    rows = table[table["group"] == view.widest]
    if rows.empty or not (rows["share"] > 0).any():
        return None
    panels = []
    for kind, (x_label, y_label, noun) in _KINDS.items():
        own = rows[rows["kind"] == kind]
        last = float(own["x"].max()) or 1.0
        lines = []
        for method, steps in by_method(view, own):
            x = [*steps["x"], last] if steps["x"].iloc[-1] < last else list(steps["x"])
            shares = [*steps["share"], *[steps["share"].iloc[-1]] * (len(x) - len(steps))]
            lines.append(Line(method, _array(x), _array(shares)))
        title = f"{group_name(view.widest)}: {kind} profile, {counted(int(own['n'].max()), noun[:-1])}"
        log = kind == "performance" and last > 1
        panels.append(Panel(title, x_label, y_label, tuple(lines), log_x=log))
    return tuple(panels)


def _array(values: list[float]) -> Floats:
    return np.array(values, dtype=float)


PROFILES: Figure[View, tuple[Panel, ...]] = Figure(
    name="profiles",
    heading="Performance and data profiles",
    serves="studies in which a run came near the best",
    describe=describe,
    draw=lambda view, shown: [("", draw(view, "profiles", shown, columns=2, size=(6.2, 3.8)))],
    section=lambda view, shown: paragraph(_CAPTION) + charted(chart(shown, view.looks, columns=2)),
)
