"""Draws the objectives and hyperparameters of a population over its training."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from plotly.subplots import make_subplots

from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.population.schedule import Panel, Schedule, schedule

POPULATION, BEST, REPLACED = "#6b7885", "#0072b2", "#d55e00"
"""Seen on white and on black alike."""
MOST_IN_ONE_COLUMN = 5
REPLACED_LABEL = "copies another member"


def picture(schedule: Schedule) -> Picture:
    """All panels below one another, or in two columns."""
    columns = _columns(schedule)
    rows = math.ceil(len(schedule.panels) / columns)
    figure = Picture(figsize=(9 if columns == 1 else 14, 1.1 + 2.1 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axis, panel in zip(axes, schedule.panels, strict=False):
        _draw(axis, panel)
    for axis in axes[len(schedule.panels) :]:
        axis.remove()
    for axis in axes[max(0, len(schedule.panels) - columns) : len(schedule.panels)]:
        axis.set_xlabel(schedule.training)
        axis.tick_params(labelbottom=True)
    figure.suptitle(schedule.title, fontsize=11)
    figure.legend(handles=_legend(schedule), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def chart(schedule: Schedule) -> go.Figure:
    """The same, interactive."""
    columns = _columns(schedule)
    rows = math.ceil(len(schedule.panels) / columns)
    grid = make_subplots(rows, columns, shared_xaxes=True, vertical_spacing=0.12 / rows)
    figure = laid_out(120 + 230 * rows, grid)
    for place, panel in enumerate(schedule.panels):
        row, column = divmod(place, columns)
        for trace in _traces(panel, schedule.best, legend=place == 0):
            figure.add_trace(trace, row + 1, column + 1)
        figure.update_yaxes(_axis(panel), row=row + 1, col=column + 1)
        if place >= len(schedule.panels) - columns:
            figure.update_xaxes(title=schedule.training, showticklabels=True, row=row + 1, col=column + 1)
    return figure


def _columns(schedule: Schedule) -> int:
    return 1 if len(schedule.panels) <= MOST_IN_ONE_COLUMN else 2


def _opacity(count: int) -> float:
    """Fainter the more there are, so that a large population does not become one block of colour."""
    return min(0.9, max(0.55, 2 / math.sqrt(1 + count)))


def _draw(axis: Axes, panel: Panel) -> None:
    faint = _opacity(panel.curves)
    axis.plot(*panel.population.T, color=POPULATION, linewidth=0.8, alpha=faint, zorder=1)
    faint = _opacity(len(panel.replaced))
    axis.plot(
        *panel.replaced.T, "x", color=REPLACED, markersize=3, markeredgewidth=0.6, alpha=faint, zorder=2
    )
    axis.plot(*panel.best.T, color=BEST, linewidth=2.2, solid_capstyle="round", zorder=3)
    if panel.log:
        axis.set_yscale("log")
    if panel.limits:
        axis.set_ylim(panel.limits)
    if panel.categories:
        axis.set_yticks(range(len(panel.categories)), panel.categories)
        axis.set_ylim(-0.5, len(panel.categories) - 0.5)
    axis.set_title(panel.label, loc="left", fontsize=10)
    axis.grid(alpha=0.25, linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.01)


def _legend(schedule: Schedule) -> list[Line2D]:
    return [
        Line2D([], [], color=POPULATION, linewidth=0.8, label="members"),
        Line2D([], [], color=BEST, linewidth=2.2, label=schedule.best),
        Line2D([], [], color=REPLACED, marker="x", markersize=4, linestyle="", label=REPLACED_LABEL),
    ]


def _traces(panel: Panel, best: str, *, legend: bool) -> list[go.Scattergl]:
    x, y = panel.population.T
    value = panel.label if panel.categories else f"{panel.label}: %{{y}}"
    members = go.Scattergl(
        x=x,
        y=y,
        name="members",
        customdata=panel.labels,
        hovertemplate=f"%{{customdata}}<br>{value}<extra></extra>",
        mode="lines",
        line={"color": POPULATION, "width": 1},
        opacity=_opacity(panel.curves),
        legendgroup="members",
        showlegend=legend,
    )
    line = go.Scattergl(
        x=panel.best[:, 0],
        y=panel.best[:, 1],
        name=best,
        mode="lines",
        line={"color": BEST, "width": 3},
        hovertemplate=f"{best}<br>{value}<extra></extra>",
        legendgroup="best",
        showlegend=legend,
    )
    return [members, line, *([_replaced(panel, legend)] if len(panel.replaced) else [])]


def _replaced(panel: Panel, legend: bool) -> go.Scattergl:
    """Where members gave up their own weights."""
    line = {"color": REPLACED, "width": 1}
    return go.Scattergl(
        x=panel.replaced[:, 0],
        y=panel.replaced[:, 1],
        name=REPLACED_LABEL,
        mode="markers",
        marker={"color": REPLACED, "symbol": "x-thin", "size": 5, "line": line},
        opacity=_opacity(len(panel.replaced)),
        hoverinfo="skip",
        legendgroup="replaced",
        showlegend=legend,
    )


def _axis(panel: Panel) -> dict[str, object]:
    axis: dict[str, object] = {"title": {"text": panel.label}}
    if panel.log:
        ends = panel.population[:, 1][np.isfinite(panel.population[:, 1])]
        wide = ends.size > 0 and ends.max() > 30 * ends.min()
        axis |= {"type": "log", "exponentformat": "power", "dtick": 1 if wide else "D2"}
    if panel.limits:
        axis |= {"range": list(panel.limits)}
    if panel.categories:
        places = list(range(len(panel.categories)))
        axis |= {"tickmode": "array", "tickvals": places, "ticktext": list(panel.categories)}
        axis |= {"range": [-0.5, len(places) - 0.5]}
    return axis


SCHEDULE: Figure[PopulationHistory, Schedule] = Figure(
    name="schedule",
    heading="Objectives and hyperparameters over training",
    serves="every population study",
    describe=schedule,
    draw=lambda _, shown: [("", picture(shown))],
    section=lambda _, shown: captioned(
        "A copy's curve branches off its parent's. Hover over a curve to see whose it is; a click shows what "
        "its weights were trained with so far, as YAML.",
        chart(shown),
    ),
)
