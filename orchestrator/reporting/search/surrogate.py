"""What a model of the trials says: each objective over single hyperparameters and over pairs of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from plotly.subplots import make_subplots

from orchestrator.objective import sign
from orchestrator.reporting.document import chooser, embedded, laid_out, paragraph
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats
from orchestrator.reporting.search.charts import scale
from orchestrator.reporting.search.configurations import keys
from orchestrator.reporting.search.overview import Axis, Overview
from orchestrator.reporting.search.style import ALL, KNEE, PARETO, new_figure
from orchestrator.reporting.style import logarithmic_axis, plain
from orchestrator.search.history.surrogate import Contour, Slice, Surrogate, surrogate

MOST_SLICES, MOST_PAIRS = 6, 3
LEAST_FIT = 0.1
"""A model with a smaller R² out of bag is not shown."""
COLOURS = "viridis"


@dataclass(frozen=True)
class Modelled:
    """A model of one objective, in the objective's own direction.

    Args:
        objective: its axis.
        better: 1 where smaller values are better, -1 where larger ones are.
        model: of its loss.
    """

    objective: Axis
    better: int
    model: Surrogate

    def own(self, predicted: Floats) -> Floats:
        """Predictions as values of the objective."""
        return np.asarray(10.0**predicted if self.model.log else self.better * predicted)


def describe(view: Overview) -> tuple[Modelled, ...] | None:
    """The models that say something; None where none does."""
    found = []
    for place, (axis, objective) in enumerate(
        zip(view.objectives, view.history.start.objectives, strict=True)
    ):
        model = surrogate(view.history, view.space, place, log=axis.log, slices=MOST_SLICES, pairs=MOST_PAIRS)
        if model is not None and model.fit >= LEAST_FIT:
            found.append(Modelled(axis, sign(objective), model))
    return tuple(found) or None


def _values(view: Overview, name: str, units: Floats) -> Floats:
    """Values of a hyperparameter at its coordinates; of a category its number."""
    column = next(one for one in view.space.codec.columns if one.name == name)
    return column.from_units(units)


def _axis(view: Overview, name: str) -> Axis:
    return next(axis for axis in view.parameters if axis.name == name)


def _shape(model: Surrogate) -> tuple[int, int]:
    panels = len(model.slices) + len(model.contours)
    columns = min(3, panels)
    return math.ceil(panels / columns), columns


def _band(shown: Modelled, one: Slice) -> tuple[Floats, Floats, Floats]:
    """Mean, and the mean less and more the trees' standard deviation, as values of the objective."""
    return shown.own(one.mean), shown.own(one.mean - one.spread), shown.own(one.mean + one.spread)


def _pictures(view: Overview, every: Sequence[Modelled]) -> Iterator[tuple[str, Picture]]:
    for shown in every:
        yield re.sub(r"\W", "_", shown.objective.name), picture(view, shown)


def picture(view: Overview, shown: Modelled) -> Picture:
    """Slices, then contours, of one objective."""
    rows, columns = _shape(shown.model)
    figure = new_figure(view, 1.0 + 4.2 * columns, 1.2 + 3.2 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, one in zip(axes, shown.model.slices, strict=False):
        _slice(axis, view, shown, one)
    after = axes[len(shown.model.slices) :]
    for axis, pair in zip(after, shown.model.contours, strict=False):
        _contour(axis, view, shown, pair)
    for axis in after[len(shown.model.contours) :]:
        axis.remove()
    return figure


def _slice(axis: Axes, view: Overview, shown: Modelled, one: Slice) -> None:
    x = _values(view, one.name, one.units)
    mean, low, high = _band(shown, one)
    axis.fill_between(x, low, high, color=PARETO, alpha=0.2, linewidth=0)
    axis.plot(x, mean, "o-" if _axis(view, one.name).categories else "-", color=PARETO, linewidth=2)
    if shown.objective.log:
        logarithmic_axis(axis, "y")
    axis.set_ylabel(shown.objective.short)
    _scaled(axis, _axis(view, one.name), "x")
    plain(axis)


def _contour(axis: Axes, view: Overview, shown: Modelled, one: Contour) -> None:
    x, y = (_values(view, name, units) for name, units in zip(one.names, (one.x, one.y), strict=True))
    mesh = axis.pcolormesh(x, y, shown.own(one.mean), cmap=_map(shown), shading="nearest")
    first, second = (_axis(view, name) for name in one.names)
    axis.scatter(first.values, second.values, s=7, color=ALL, edgecolors="white", linewidths=0.4)
    if view.knee is not None:
        best = first.values[[view.knee]], second.values[[view.knee]]
        axis.scatter(*best, s=90, facecolors="none", edgecolors=KNEE, linewidths=2)
    for known, which in ((first, "x"), (second, "y")):
        _scaled(axis, known, which)
    if axis.figure is not None:
        axis.figure.colorbar(mesh, ax=axis, label=shown.objective.short)


def _scaled(axis: Axes, known: Axis, which: Any) -> None:
    """A hyperparameter's scale and name at one side of a panel."""
    (axis.set_xlabel if which == "x" else axis.set_ylabel)(known.name)
    if known.categories:
        set_ticks = axis.set_xticks if which == "x" else axis.set_yticks
        set_ticks(range(len(known.categories)), known.categories)
    elif known.log:
        logarithmic_axis(axis, which)


def _map(shown: Modelled) -> str:
    """The best values are bright."""
    return f"{COLOURS}_r" if shown.better > 0 else COLOURS


def chart(view: Overview, shown: Modelled) -> go.Figure:
    """The same, interactive."""
    rows, columns = _shape(shown.model)
    grid = make_subplots(rows, columns, horizontal_spacing=0.11, vertical_spacing=0.3 / rows)
    figure = laid_out(60 + 320 * rows, grid)
    panels = [_slice_traces(view, shown, one) for one in shown.model.slices]
    panels += [_contour_traces(view, shown, one) for one in shown.model.contours]
    sides: list[tuple[Axis, Axis | None]] = [(_axis(view, one.name), None) for one in shown.model.slices]
    sides += [(_axis(view, one.names[0]), _axis(view, one.names[1])) for one in shown.model.contours]
    for place, (traces, (x, y)) in enumerate(zip(panels, sides, strict=True)):
        row, column = divmod(place, columns)
        where = {"row": row + 1, "col": column + 1}
        for trace in traces:
            figure.add_trace(trace, **where)
        figure.update_xaxes(scale(x), **where)
        figure.update_yaxes(scale(y) if y else _objective_scale(shown), **where)
    bar = {"title": {"text": shown.objective.short, "side": "right"}, "thickness": 12}
    figure.update_layout(coloraxis={"colorscale": COLOURS, "reversescale": shown.better > 0, "colorbar": bar})
    return figure


def _objective_scale(shown: Modelled) -> dict[str, Any]:
    settings: dict[str, Any] = {"title": {"text": shown.objective.short}}
    return settings | ({"type": "log"} if shown.objective.log else {})


def _slice_traces(view: Overview, shown: Modelled, one: Slice) -> list[Any]:
    x = _values(view, one.name, one.units)
    mean, low, high = _band(shown, one)
    band = go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([low, high[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor="rgba(0, 114, 178, 0.22)",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    line = go.Scatter(
        x=x,
        y=mean,
        mode="lines+markers" if _axis(view, one.name).categories else "lines",
        line={"color": PARETO, "width": 2.5},
        hovertemplate="%{x}: %{y:.4g}<extra></extra>",
        showlegend=False,
    )
    return [band, line]


def _contour_traces(view: Overview, shown: Modelled, one: Contour) -> list[Any]:
    x, y = (_values(view, name, units) for name, units in zip(one.names, (one.x, one.y), strict=True))
    first, second = (_axis(view, name) for name in one.names)
    heat = go.Heatmap(
        x=x,
        y=y,
        z=shown.own(one.mean),
        coloraxis="coloraxis",
        hovertemplate="%{x}, %{y}: %{z:.4g}<extra></extra>",
    )
    known = np.isfinite(first.values) & np.isfinite(second.values)
    marks = go.Scatter(
        x=first.values[known],
        y=second.values[known],
        mode="markers",
        marker={"color": ALL, "size": 5, "line": {"color": "white", "width": 0.6}},
        customdata=keys(view.trials[known]),
        hovertemplate="%{customdata}<extra></extra>",
        showlegend=False,
    )
    return [heat, marks]


def _section(view: Overview, every: Sequence[Modelled]) -> str:
    text = (
        "A random forest over the fully trained trials: its mean prediction at each value, over the other "
        "values that trials had (partial dependence), with the standard deviation of its trees. The "
        "hyperparameters that move it most come first, then pairs of them, with the trials as dots."
    )
    choices = []
    for shown in every:
        fit = (
            f"R² {shown.model.fit:.2f} on trials that its trees did not see, of {shown.model.trials} trials."
        )
        choices.append((shown.objective.label, paragraph(fit) + embedded(chart(view, shown))))
    if len(choices) == 1:
        return f"{paragraph(text)}\n{choices[0][1]}"
    return f"{paragraph(text)}\n{chooser('objective', choices)}"


SURROGATE: Figure[Overview, tuple[Modelled, ...]] = Figure(
    name="surrogate",
    heading="What a model of the trials says",
    serves="studies with at least 20 trials that were trained fully, where a model fits them",
    describe=describe,
    draw=_pictures,
    section=_section,
    parts="objective",
)
