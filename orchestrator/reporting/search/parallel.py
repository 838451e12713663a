"""Parameters and objectives of all trials as parallel coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from orchestrator.reporting.document import captioned, parallel
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats
from orchestrator.reporting.search.overview import Axis, Overview
from orchestrator.reporting.search.style import ALL, KNEE, LESS_COLOR, PARETO, front_name, new_figure
from orchestrator.text import number

MOST_PARAMETERS = 12
"""Only the most important are drawn of more."""
INACTIVE = -0.12
"""Height of the trials in which a parameter is inactive; its range is from 0 to 1."""


def picture(view: Overview) -> Picture:
    """One line per trial; the Pareto set is highlighted."""
    coordinates = _coordinates(view)
    figure = new_figure(view, max(8.0, 1.6 * len(coordinates)), 5.4)
    axis = figure.subplots()
    heights_of_all = np.column_stack([heights(one) for one in coordinates])
    if len(view.less.trials):
        _lines(axis, np.column_stack([early_heights(one) for one in coordinates]), LESS_COLOR, 0.9, 0.6, ":")
    _lines(axis, heights_of_all[~view.pareto], ALL, 0.7, 0.35)
    _lines(axis, heights_of_all[view.pareto], PARETO, 1.6, 0.9)
    less = [Line2D([], [], color=LESS_COLOR, linewidth=1, linestyle=":", label="trained less")]
    less = less if len(view.less.trials) else []
    legend = [
        Line2D([], [], color=ALL, linewidth=1, label="trials"),
        *less,
        Line2D([], [], color=PARETO, linewidth=2, label=front_name(view)),
    ]
    if view.knee is not None and len(view.objectives) > 1:
        axis.plot(heights_of_all[view.knee], color=KNEE, linewidth=2.4, zorder=3)
        legend.append(Line2D([], [], color=KNEE, linewidth=2.4, label="knee point"))
    for place, one in enumerate(coordinates):
        _coordinate(axis, place, one)
    axis.set_xticks(
        range(len(coordinates)), [one.label.replace(" (", "\n(") for one in coordinates], fontsize=8.5
    )
    axis.tick_params(axis="x", length=0, pad=8)
    axis.set_yticks([])
    axis.set_xlim(-0.15, len(coordinates) - 0.35)
    axis.set_ylim(-0.16, 1.05)
    axis.spines[:].set_visible(False)
    figure.legend(handles=legend, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _coordinates(view: Overview) -> list[Axis]:
    """Parameters, the most important nearest to the objectives, and the objectives."""
    return [*reversed(view.by_importance[:MOST_PARAMETERS]), *view.objectives]


def heights(axis: Axis) -> Floats:
    """Where each trial crosses a coordinate: between 0 and 1, or at :data:`INACTIVE`; shape ``(n,)``."""
    return _heights(axis, axis.values)


def early_heights(axis: Axis) -> Floats:
    """The same of the trials that were trained less, shape ``(k,)``."""
    return _heights(axis, axis.early)


def _heights(axis: Axis, values: Floats) -> Floats:
    ends = np.array(_range(axis))
    if axis.log:
        values, ends = np.log(values), np.log(ends)
    extent = float(np.ptp(ends)) or 1.0
    return np.where(np.isnan(values), INACTIVE, (values - ends[0]) / extent)


def ticks(axis: Axis) -> Iterator[tuple[float, str]]:
    """Heights along a coordinate, and what stands there."""
    low, high = _range(axis)
    if np.isnan(axis.values).any() or np.isnan(axis.early).any():
        yield INACTIVE, "inactive"
    if axis.categories:
        last = max(1, len(axis.categories) - 1)
        yield from ((place / last, name) for place, name in enumerate(axis.categories))
        return
    if axis.whole:
        yield from _whole_ticks(axis)
        return
    for height in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = low ** (1 - height) * high**height if axis.log else low + height * (high - low)
        yield height, number(value)


def _whole_ticks(axis: Axis) -> Iterator[tuple[float, str]]:
    """Up to five whole numbers along a coordinate, where they are."""
    low, high = _range(axis)
    shares = np.linspace(0, 1, 5)
    values = low ** (1 - shares) * high**shares if axis.log else low + shares * (high - low)
    chosen = np.unique(np.rint(values))
    for height, value in zip(_heights(axis, chosen), chosen, strict=True):
        yield float(height), number(float(value))


def _range(axis: Axis) -> tuple[float, float]:
    values = np.append(axis.values, axis.early)
    return axis.limits or (float(np.nanmin(values)), float(np.nanmax(values)))


def _lines(axis: Axes, rows: Floats, color: str, width: float, alpha: float, dashes: str = "-") -> None:
    lines = [np.column_stack([np.arange(len(row)), row]) for row in rows]
    axis.add_collection(LineCollection(lines, colors=color, linewidths=width, alpha=alpha, linestyles=dashes))


def _coordinate(axis: Axes, place: int, coordinate: Axis) -> None:
    axis.axvline(place, color="black", linewidth=0.8, zorder=0)
    for height, text in ticks(coordinate):
        axis.annotate(
            text,
            (place, height),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            zorder=5,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        )


def chart(view: Overview) -> go.Figure:
    """Parameters and objectives as parallel coordinates."""
    level = 1 + view.pareto.astype(int)
    if view.knee is not None and len(view.objectives) > 1:
        level[view.knee] = 3
    level = np.append(np.zeros(len(view.less.trials), dtype=int), level)
    order = np.argsort(level, kind="stable")
    dimensions = []
    for axis in _coordinates(view):
        places, texts = zip(*ticks(axis), strict=True)
        bottom = INACTIVE if min(places) < 0 else 0.0
        dimensions.append(
            {
                "label": escape(axis.short),
                "values": np.append(early_heights(axis), heights(axis))[order],
                "range": [bottom, 1.0],
                "tickvals": places,
                "ticktext": texts,
            }
        )
    scale = [[0.0, "#a3937a"], [1 / 3, "#8c959e"], [2 / 3, PARETO], [1.0, KNEE]]
    return parallel(480, dimensions, {"color": level[order], "colorscale": scale, "cmin": 0, "cmax": 3})


PARALLEL: Figure[Overview, Overview] = Figure(
    name="parallel",
    heading="Parameters and objectives",
    serves="studies in which a trial has a result",
    describe=lambda view: view if view.known else None,
    draw=lambda view, _: [("", picture(view))],
    section=lambda view, _: captioned(
        "The most important parameters stand nearest to the objectives. Drag along an axis to keep only the "
        "trials that pass there, a heading to move its axis.",
        chart(view),
    ),
)
