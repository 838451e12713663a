"""The one objective over each parameter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from plotly.subplots import make_subplots

from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import bulk
from orchestrator.reporting.search.charts import early_marks, hover, scale
from orchestrator.reporting.search.configurations import keys
from orchestrator.reporting.search.overview import Axis, Overview
from orchestrator.reporting.search.style import KNEE, new_figure, rings
from orchestrator.reporting.style import logarithmic_axis, plain

MOST_SLICES = 12


def picture(view: Overview) -> Picture:
    """The one objective over each parameter, the important ones first."""
    shown = view.by_importance[:MOST_SLICES]
    rows = math.ceil(len(shown) / 4)
    columns = math.ceil(len(shown) / rows)
    figure = new_figure(view, max(6.0, 3.2 * columns), 1.3 + 2.8 * rows)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axis, parameter in zip(axes, shown, strict=False):
        _slice(axis, view, parameter)
    objective = view.objectives[0]
    if objective.log:
        logarithmic_axis(axes[0], "y")
    elif limits := bulk(np.append(objective.values, objective.early), objective.values[view.pareto]):
        axes[0].set_ylim(limits)
    for axis in axes[::columns]:
        axis.set_ylabel(objective.label)
    for axis in axes[len(shown) :]:
        axis.remove()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    if len(view.trials):
        figure.colorbar(axes[0].collections[-1], ax=axes[: len(shown)], label="trial", shrink=0.8, pad=0.01)
    return figure


def _slice(axis: Axes, view: Overview, parameter: Axis) -> None:
    y = view.objectives[0].values
    if len(view.less.trials):
        rings(axis, view, parameter.early, view.objectives[0].early)
    if view.knee is not None:
        axis.scatter(
            parameter.values[view.knee],
            y[view.knee],
            s=110,
            facecolors="none",
            edgecolors=KNEE,
            linewidths=2,
            label=f"best trial ({view.trials[view.knee]})",
            zorder=3,
        )
    if len(view.trials):
        axis.scatter(parameter.values, y, c=view.trials, cmap="viridis", s=16, linewidths=0, alpha=0.8)
    if parameter.categories:
        axis.set_xticks(range(len(parameter.categories)), parameter.categories)
        axis.set_xlim(-0.5, len(parameter.categories) - 0.5)
    elif parameter.limits:
        axis.set_xlim(*parameter.limits)
    if parameter.log:
        logarithmic_axis(axis, "x")
    axis.set_xlabel(parameter.name)
    plain(axis)


def chart(view: Overview) -> go.Figure:
    """The one objective over each parameter."""
    objective = view.objectives[0]
    columns = min(3, len(view.parameters))
    rows = -(-len(view.parameters) // columns)
    grid = make_subplots(
        rows, columns, shared_yaxes=True, horizontal_spacing=0.03, vertical_spacing=0.22 / rows
    )
    figure = laid_out(90 + 260 * rows, grid)
    everybody = np.arange(len(view.trials))
    for place, axis in enumerate(view.by_importance):
        row, column = divmod(place, columns)
        if len(axis.early):
            shown = early_marks(view) | {"showlegend": place == 0}
            figure.add_scatter(x=axis.early, y=objective.early, **shown, row=row + 1, col=column + 1)
        marker = {"color": view.trials, "colorscale": "Viridis", "size": 7, "showscale": place == 0}
        marker["colorbar"] = {"title": "trial"}
        figure.add_scatter(
            x=axis.values,
            y=objective.values,
            mode="markers",
            marker=marker,
            text=hover(view, everybody),
            customdata=keys(view.trials),
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            row=row + 1,
            col=column + 1,
        )
        if view.knee is not None:
            best = _best_mark(view, axis, view.knee) | {"showlegend": place == 0}
            figure.add_scatter(**best, row=row + 1, col=column + 1)
        figure.update_xaxes(scale(axis), row=row + 1, col=column + 1)
        if column == 0:
            figure.update_yaxes(title=objective.label, row=row + 1, col=1)
    if objective.log:
        figure.update_yaxes(type="log")
    return figure


def _best_mark(view: Overview, axis: Axis, best: int) -> dict[str, Any]:
    """A scatter trace of the ring around the best trial."""
    return {
        "x": axis.values[[best]],
        "y": view.objectives[0].values[[best]],
        "mode": "markers",
        "marker": {"color": KNEE, "size": 15, "symbol": "circle-open", "line": {"width": 3}},
        "name": f"best trial ({view.trials[best]})",
        "hoverinfo": "skip",
    }


SLICES: Figure[Overview, Overview] = Figure(
    name="slices",
    heading="Slices",
    serves="studies with one objective",
    describe=lambda view: view if view.known and len(view.objectives) == 1 else None,
    draw=lambda view, _: [("", picture(view))],
    section=lambda view, _: captioned(
        "The objective over each parameter, the most important first; the best trial has a ring.", chart(view)
    ),
)
