"""Draws the Pareto front of a population's models, and the hypervolume after every generation."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator
from plotly.subplots import make_subplots

from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.population.front import ModelFront, model_front
from orchestrator.reporting.population.plots import BEST, POPULATION
from orchestrator.reporting.style import plain

DASHES, PLOTLY_DASHES = ("-", "--", ":"), ("solid", "dash", "dot")
PUBLISHED_LABEL, MODELS_LABEL = "all members after all generations", "models that are kept"
VOLUME_LABEL = "hypervolume (higher is better)"


def _shape(shown: ModelFront) -> tuple[int, int]:
    panels = len(shown.pairs) + 1
    columns = min(3, panels)
    return math.ceil(panels / columns), columns


def picture(shown: ModelFront) -> Picture:
    """A panel for each pair of objectives, and one of the hypervolume."""
    rows, columns = _shape(shown)
    figure = Picture(figsize=(1.0 + 4.6 * columns, 1.0 + 3.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (x, y) in zip(axes, shown.pairs, strict=False):
        _scatter(axis, shown, x, y)
    volumes = axes[len(shown.pairs)]
    volumes.plot(range(1, len(shown.volumes) + 1), shown.volumes, "o-", color=BEST, markersize=3, linewidth=2)
    volumes.set_ylabel(VOLUME_LABEL)
    volumes.set_xlabel("generation")
    volumes.xaxis.set_major_locator(MaxNLocator(integer=True))
    volumes.set_title(f"bounded by {shown.reference}", loc="left", fontsize=9)
    plain(volumes)
    for axis in axes[len(shown.pairs) + 1 :]:
        axis.remove()
    if shown.pairs:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle(shown.title, fontsize=11)
    return figure


def _scatter(axis: Axes, shown: ModelFront, x: int, y: int) -> None:
    found, models = shown.published, shown.models
    faint = _opacity(len(found))
    axis.scatter(
        found[:, x], found[:, y], s=10, color=POPULATION, alpha=faint, linewidths=0, label=PUBLISHED_LABEL
    )
    for boundary, dashes in zip(shown.boundaries, DASHES, strict=False):
        axis.plot(*boundary.corners.T, dashes, color=BEST, linewidth=1.1, alpha=0.8, label=boundary.label)
    axis.scatter(models[:, x], models[:, y], s=34, color=BEST, zorder=3, label=MODELS_LABEL)
    axis.set_xlabel(shown.labels[x])
    axis.set_ylabel(shown.labels[y])
    axis.set_xlim(_limits(shown, x))
    axis.set_ylim(_limits(shown, y))
    plain(axis)


def _limits(shown: ModelFront, objective: int) -> tuple[float, float]:
    """The ends of an axis: the models fill half of it, or all of it where nothing lies beyond them."""
    models, found = shown.models[:, objective], shown.published[:, objective]
    low, high = float(models.min()), float(models.max())
    extent = high - low or float(np.ptp(found)) or 1.0
    low, high = max(low - extent / 2, float(found.min())), min(high + extent / 2, float(found.max()))
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _opacity(count: int) -> float:
    return min(0.7, max(0.15, 8 / math.sqrt(1 + count)))


def chart(shown: ModelFront) -> go.Figure:
    """The same, interactive."""
    rows, columns = _shape(shown)
    figure = laid_out(70 + 420 * rows, make_subplots(rows, columns, horizontal_spacing=0.09))
    for place, pair in enumerate(shown.pairs):
        row, column = place // columns + 1, place % columns + 1
        for trace in _traces(shown, *pair, legend=place == 0):
            figure.add_trace(trace, row, column)
        for objective, update in zip(pair, (figure.update_xaxes, figure.update_yaxes), strict=True):
            ends = [*_limits(shown, objective)]
            update(title=shown.labels[objective], range=ends, row=row, col=column)
    last = len(shown.pairs)
    figure.add_scatter(
        x=np.arange(1, len(shown.volumes) + 1),
        y=shown.volumes,
        mode="lines+markers",
        line={"color": BEST, "width": 2},
        marker={"size": 5},
        hovertemplate="generation %{x}: %{y:.5g}<extra></extra>",
        showlegend=False,
        row=last // columns + 1,
        col=last % columns + 1,
    )
    where = {"row": last // columns + 1, "col": last % columns + 1}
    figure.update_xaxes(title="generation", **where)
    figure.update_yaxes(title=VOLUME_LABEL, **where)
    return figure


def _traces(shown: ModelFront, x: int, y: int, *, legend: bool) -> list[go.Scatter]:
    def marks(values: np.ndarray[tuple[int, int], np.dtype[np.float64]], **more: object) -> go.Scatter:
        return go.Scatter(x=values[:, x], y=values[:, y], mode="markers", showlegend=legend, **more)

    opacity = _opacity(len(shown.published))
    traces = [
        marks(
            shown.published,
            name=PUBLISHED_LABEL,
            legendgroup="all",
            hoverinfo="skip",
            marker={"color": POPULATION, "size": 4, "opacity": opacity},
        )
    ]
    traces += [
        go.Scatter(
            x=boundary.corners[:, 0],
            y=boundary.corners[:, 1],
            mode="lines",
            name=boundary.label,
            line={"color": BEST, "width": 1.3, "dash": dash},
            hoverinfo="skip",
        )
        for boundary, dash in zip(shown.boundaries, PLOTLY_DASHES, strict=False)
    ]
    models = marks(
        shown.models,
        name=MODELS_LABEL,
        legendgroup="models",
        customdata=shown.names,
        hovertemplate="%{customdata}<br>%{x:.5g}, %{y:.5g}<extra></extra>",
        marker={"color": BEST, "size": 9},
    )
    return [*traces, models]


FRONT: Figure[PopulationHistory, ModelFront] = Figure(
    name="front",
    heading="Trained models",
    serves="population studies of several objectives",
    describe=model_front,
    draw=lambda _, shown: [("", picture(shown))],
    section=lambda _, shown: captioned(
        f"The models lie in results/models, best in the first objective first. Hypervolume is bounded by "
        f"{shown.reference}. Hover over a model to see whose it is; members far from all models lie outside.",
        chart(shown),
    ),
)
