"""Draws the winner's schedule on a heat map of the whole population."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from plotly.subplots import make_subplots

from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.population.density import Densities, Density, densities
from orchestrator.reporting.population.plots import BEST, MOST_IN_ONE_COLUMN

SHARES = (0.01, 0.1, 0.25, 0.5, 1.0)
"""Shares of the population that the colour bar names."""
EDGE = 0.04
"""Empty room at the ends of an axis, as a share of it."""
LIGHT, DARK = 0.12, 0.95
"""The part of matplotlib's oranges that is used: one member must not be white."""


def picture(shown: Densities) -> Picture:
    """All panels below one another, or in two columns."""
    columns = _columns(shown)
    rows = math.ceil(len(shown.panels) / columns)
    figure = Picture(figsize=(9 if columns == 1 else 14, 1.1 + 2.1 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    colours = matplotlib.colors.LinearSegmentedColormap.from_list(
        "shares", matplotlib.colormaps["Oranges"](np.linspace(LIGHT, DARK, 64))
    )
    for axis, panel in zip(axes, shown.panels, strict=False):
        mesh = axis.pcolormesh(panel.columns, panel.rows, panel.shades, cmap=colours, vmin=0, vmax=1)
        axis.plot(*panel.winner.T, color=BEST, linewidth=2.2, solid_capstyle="round")
        _label(axis, panel)
    for axis in axes[len(shown.panels) :]:
        axis.remove()
    for axis in axes[max(0, len(shown.panels) - columns) : len(shown.panels)]:
        axis.set_xlabel(shown.training)
        axis.tick_params(labelbottom=True)
    bar = figure.colorbar(mesh, ax=list(axes[: len(shown.panels)]), aspect=18 * rows, fraction=0.03, pad=0.01)
    bar.set_ticks([math.sqrt(share) for share in SHARES], labels=[f"{share:.0%}" for share in SHARES])
    bar.set_label("members with that value", fontsize=9)
    figure.suptitle(shown.title, fontsize=11)
    line = Line2D([], [], color=BEST, linewidth=2.2, label=shown.winner)
    figure.legend(handles=[line], loc="outside lower center", frameon=False, fontsize=9)
    return figure


def _label(axis: Axes, panel: Density) -> None:
    axis.set_ylim(*_ends(panel))
    if panel.ticks is not None:
        axis.set_yticks(*panel.ticks)
    axis.set_title(panel.label, loc="left", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)


def _ends(panel: Density) -> tuple[float, float]:
    """The ends of the axis of heights, so far that a line along its edge is seen."""
    margin = EDGE * float(panel.rows[-1] - panel.rows[0])
    return float(panel.rows[0]) - margin, float(panel.rows[-1]) + margin


def chart(shown: Densities) -> go.Figure:
    """The same, interactive."""
    columns = _columns(shown)
    rows = math.ceil(len(shown.panels) / columns)
    grid = make_subplots(rows, columns, shared_xaxes=True, vertical_spacing=0.12 / rows)
    figure = laid_out(120 + 230 * rows, grid)
    ticks = {
        "tickvals": [math.sqrt(share) for share in SHARES],
        "ticktext": [f"{share:.0%}" for share in SHARES],
    }
    bar = {"title": {"text": "members", "side": "right"}, "thickness": 12, **ticks}
    figure.update_layout(coloraxis={"colorscale": _scale(), "cmin": 0, "cmax": 1, "colorbar": bar})
    for place, panel in enumerate(shown.panels):
        row, column = divmod(place, columns)
        for trace in _traces(panel, shown.winner, legend=place == 0):
            figure.add_trace(trace, row + 1, column + 1)
        axis: dict[str, object] = {"title": {"text": panel.label}, "range": [*_ends(panel)]}
        if panel.ticks is not None:
            axis |= {"tickmode": "array", "tickvals": panel.ticks[0], "ticktext": panel.ticks[1]}
        figure.update_yaxes(axis, row=row + 1, col=column + 1)
        if place >= len(shown.panels) - columns:
            figure.update_xaxes(title=shown.training, showticklabels=True, row=row + 1, col=column + 1)
    return figure


def _traces(panel: Density, winner: str, *, legend: bool) -> list[go.Heatmap | go.Scatter]:
    heat = go.Heatmap(
        x=panel.columns,
        y=panel.rows,
        z=panel.shades,
        customdata=panel.share,
        coloraxis="coloraxis",
        hovertemplate="%{customdata:.1%} of the members<extra></extra>",
        hoverongaps=False,
    )
    line = go.Scatter(
        x=panel.winner[:, 0],
        y=panel.winner[:, 1],
        name=winner,
        mode="lines",
        line={"color": BEST, "width": 3},
        hoverinfo="skip",
        legendgroup="winner",
        showlegend=legend,
    )
    return [heat, line]


def _scale() -> list[list[object]]:
    """The same colours as in the picture."""
    places = np.linspace(0, 1, 9)
    shades = matplotlib.colormaps["Oranges"](LIGHT + (DARK - LIGHT) * places)
    return [
        [float(place), matplotlib.colors.to_hex(shade)] for place, shade in zip(places, shades, strict=True)
    ]


def _columns(shown: Densities) -> int:
    return 1 if len(shown.panels) <= MOST_IN_ONE_COLUMN else 2


WINNER: Figure[PopulationHistory, Densities] = Figure(
    name="winner",
    heading="The winner's schedule and the whole population",
    serves="population studies in which a member succeeded",
    describe=densities,
    draw=lambda _, shown: [("", picture(shown))],
    section=lambda _, shown: captioned(
        "The line is what the best weights were trained with, through all their ancestors. The darker a "
        "field, the more members trained with that value at that age; values beyond an axis at its end.",
        chart(shown),
    ),
)
