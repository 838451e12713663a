"""What trials reported at each rung, objective by objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from plotly.subplots import make_subplots

from orchestrator.objective import sign
from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats, bulk, logarithmic, objective_label
from orchestrator.reporting.search.configurations import key
from orchestrator.reporting.search.overview import Overview
from orchestrator.reporting.search.style import ALL, PARETO, front_name, new_figure
from orchestrator.reporting.style import logarithmic_axis, plain
from orchestrator.search.history.history import TrialRecord
from workloads.contract import Objective


@dataclass(frozen=True)
class Curve:
    """One trial's learning curve of one objective: polyline ``(n, 2)`` of (fidelity, value)."""

    trial: int
    points: Floats
    best: bool


@dataclass(frozen=True)
class Curves:
    """The learning curves of one objective; ``rungs`` are the fidelities that are reported at, ascending."""

    label: str
    log: bool
    rungs: tuple[int, ...]
    curves: tuple[Curve, ...]


def describe(view: Overview) -> tuple[Curves, ...] | None:
    """One panel for each objective; None where no trial reports more than once."""
    history = view.history
    front = {record.number for record in history.pareto()}
    reported = [record for record in history.records.values() if record.reports]
    rungs = sorted({report.fidelity for record in reported for report in record.reports})
    if len(rungs) < 2:
        return None
    found = []
    for column, objective in enumerate(history.start.objectives):
        curves = [_curve(record, column, objective, record.number in front) for record in reported]
        values = np.concatenate([curve.points[:, 1] for curve in curves])
        log = logarithmic(values, objective)
        found.append(Curves(objective_label(objective), log, tuple(rungs), tuple(curves)))
    return tuple(found)


def _curve(record: TrialRecord, column: int, objective: Objective, best: bool) -> Curve:
    points = [(report.fidelity, sign(objective) * report.losses[column]) for report in record.reports]
    return Curve(record.number, np.array(points, dtype=float), best)


def picture(view: Overview, panels: Sequence[Curves]) -> Picture:
    """Every trial's objectives at the rungs that it reported at."""
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(view, 7.5 if columns == 1 else 5.3 * columns, 1.0 + 3.6 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _learning(axis, panel)
        axis.set_xlabel(f"training ({view.unit}s)")
    for axis in axes[len(panels) :]:
        axis.remove()
    legend = [
        Line2D([], [], color=ALL, linewidth=0.8, marker="o", markersize=2.5, label="trials"),
        Line2D([], [], color=PARETO, linewidth=2, marker="o", markersize=2.5, label=front_name(view)),
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _learning(axis: Axes, panel: Curves) -> None:
    faint = min(0.7, max(0.2, 4 / math.sqrt(1 + len(panel.curves))))
    for curve in panel.curves:
        color, width, alpha = (PARETO, 2.0, 0.9) if curve.best else (ALL, 0.8, faint)
        x, y = curve.points.T
        axis.plot(x, y, "o-", color=color, lw=width, ms=2.5, alpha=alpha, zorder=3 if curve.best else 2)
    rungs = panel.rungs
    if rungs[-1] > 4 * rungs[0]:
        axis.set_xscale("log")
    if len(rungs) <= 8:
        axis.set_xticks(rungs, [f"{rung:,g}" for rung in rungs])
        axis.minorticks_off()
    values = np.concatenate([curve.points[:, 1] for curve in panel.curves])
    best = np.concatenate([np.empty(0), *(curve.points[:, 1] for curve in panel.curves if curve.best)])
    if panel.log:
        logarithmic_axis(axis, "y")
    elif limits := bulk(values, best):
        axis.set_ylim(limits)
    axis.set_ylabel(panel.label)
    plain(axis)


def chart(view: Overview, panels: Sequence[Curves]) -> go.Figure:
    """Every trial's objectives at the rungs that it reported at."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = laid_out(120 + 330 * rows, make_subplots(rows, columns, vertical_spacing=0.25 / rows))
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        for best, name, color, width in ((False, "trials", ALL, 1), (True, front_name(view), PARETO, 2.5)):
            x, y, texts = _joined(panel, best)
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines+markers",
                line={"color": color, "width": width},
                marker={"size": 4},
                opacity=0.9 if best else 0.45,
                name=name,
                customdata=texts,
                hovertemplate="%{customdata}, at %{x}: %{y}<extra></extra>",
                showlegend=place == 0,
                row=row + 1,
                col=column + 1,
            )
        rungs = {"tickvals": panel.rungs} if len(panel.rungs) <= 8 else {}
        figure.update_xaxes(
            title=f"training ({view.unit}s)", type="log", **rungs, row=row + 1, col=column + 1
        )
        kind = {"type": "log", "dtick": "D2"} if panel.log else {}
        figure.update_yaxes(title=panel.label, **kind, row=row + 1, col=column + 1)
    return figure


def _joined(panel: Curves, best: bool) -> tuple[list[float], list[float], list[str]]:
    """All curves as one, with gaps: one trace for each trial would be slow."""
    x: list[float] = []
    y: list[float] = []
    texts: list[str] = []
    for curve in panel.curves:
        if curve.best is best:
            x += [*curve.points[:, 0].tolist(), np.nan]
            y += [*curve.points[:, 1].tolist(), np.nan]
            texts += [key(curve.trial)] * (len(curve.points) + 1)
    return x, y, texts


LEARNING_CURVES: Figure[Overview, tuple[Curves, ...]] = Figure(
    name="learning_curves",
    heading="Learning curves",
    serves="studies whose trials report at several rungs",
    describe=describe,
    draw=lambda view, panels: [("", picture(view, panels))],
    section=lambda view, panels: captioned("What each trial reported, rung by rung.", chart(view, panels)),
)
