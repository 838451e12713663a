"""Normalised scores of methods on tasks, as colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from orchestrator.reporting.benchmark.grid import (
    MOST_WRITTEN,
    MOST_WRITTEN_IN_PICTURES,
    grid_layout,
    heat,
    name_axes,
)
from orchestrator.reporting.benchmark.view import GROUPS, View
from orchestrator.reporting.document import Chart, charted, paragraph
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats

_CAPTION = (
    "Mean over seeds; the best mean rank on the left, the best of each task bold. Colours are logarithmic."
)


MOST_NAMED = 200
"""Of more tasks only the pointer says which one a row is."""


@dataclass(frozen=True)
class Scores:
    """Normalised scores, 0 is best; NaN where a method has none.

    Args:
        tasks: names of the rows, by type.
        types: of the tasks.
        methods: names of the columns, the best mean rank first.
        values: shape ``(tasks, methods)``.
    """

    tasks: tuple[str, ...]
    types: tuple[str, ...]
    methods: tuple[str, ...]
    values: Floats

    @property
    def labels(self) -> list[str]:
        """The tasks with their types."""
        return [f"{task}  {kind}" for task, kind in zip(self.tasks, self.types, strict=True)]

    @property
    def decades(self) -> int:
        """How many decades the colours span, down from 1; scores below share a colour."""
        positive = self.values[self.values > 0]
        least = np.percentile(positive, 10) if positive.size else 1.0
        return int(np.clip(np.ceil(-np.log10(least)), 2, 6))

    @property
    def shades(self) -> Floats:
        """What the colours show: decimal logarithms."""
        return np.log10(np.maximum(self.values, 10.0**-self.decades))

    @property
    def ticks(self) -> tuple[list[int], list[str]]:
        """Where along the colours which scores are written."""
        places = list(range(-self.decades, 1))
        texts = [f"{10.0**place:g}" for place in places]
        return places, [f"≤ {texts[0]}", *texts[1:]]


def describe(view: View) -> Scores:
    """Mean normalised scores over seeds."""
    means = view.analysis.means
    tasks = sorted(view.tasks_with(means["task"]), key=lambda task: list(GROUPS).index(task.type))
    ranked = view.ranked_in(means)
    table = means.pivot(index="task", columns="method", values="normalised")
    table = table.reindex(index=[task.name for task in tasks], columns=ranked)
    types = tuple(task.type for task in tasks)
    return Scores(tuple(table.index), types, tuple(ranked), table.to_numpy(float))


def _least(values: Floats) -> Floats:
    """The best score of each row; NaN where there is none."""
    return np.array([np.nanmin(row) if np.isfinite(row).any() else np.nan for row in values])


def score(value: float) -> str:
    """A score in few characters."""
    if np.isnan(value):
        return "–"
    return f"{value:.2f}" if value >= 0.095 or value == 0 else f"{value:.1g}"


def picture(scores: Scores) -> Picture:
    """Tasks × methods."""
    rows, columns = scores.values.shape
    named = rows <= MOST_NAMED
    names = 0.075 * max(map(len, scores.labels)) if named else 0.4
    cell = 0.62 if columns <= MOST_WRITTEN_IN_PICTURES else 0.36
    heads = 0.06 * max(map(len, scores.methods))
    size = (1.6 + names + cell * max(6, columns), 1.4 + heads + (0.24 * rows if named else 24))
    figure = Picture(figsize=size, layout="constrained")
    axis = figure.subplots()
    shades, dark, least = scores.shades, -0.45 * scores.decades, _least(scores.values)
    image = axis.imshow(
        shades, cmap="cividis_r", vmin=-scores.decades, vmax=0, aspect="auto", interpolation="none"
    )
    name_axes(axis, scores.methods, scores.labels if named else [])
    if columns <= MOST_WRITTEN_IN_PICTURES and named:
        for (row, column), value in np.ndenumerate(scores.values):
            weight = "bold" if value == least[row] else "normal"
            color = "white" if shades[row, column] > dark else "black"
            how: dict[str, Any] = {"color": color, "fontweight": weight}
            axis.text(column, row, score(value), ha="center", va="center", fontsize=7, **how)
    for row in range(1, rows):
        if scores.types[row] != scores.types[row - 1]:
            axis.axhline(row - 0.5, color="white", linewidth=3)
    bar = figure.colorbar(image, ax=axis, pad=0.02, fraction=0.04, aspect=max(8, min(40, rows)))
    places, texts = scores.ticks
    bar.set_ticks(places, labels=texts)
    bar.set_label("normalised score (0 is best)", fontsize=9)
    return figure


def chart(shown: Scores) -> Chart:
    """Tasks × methods."""
    rows, columns = shown.values.shape
    texts = [
        [f"<b>{score(value)}</b>" if value == least else score(value) for value in row]
        for row, least in zip(shown.values, _least(shown.values), strict=True)
    ]
    places, ticks = shown.ticks
    bar = {
        "title": {"text": "normalised score (0 is best)", "side": "right"},
        "tickvals": places,
        "ticktext": ticks,
        "lenmode": "pixels",
        "len": max(180, min(320, 20 * rows)),
        "yanchor": "top",
        "y": 1,
    }
    named = rows <= MOST_NAMED
    written = columns <= MOST_WRITTEN and named
    drawn = heat(shown.methods, shown.labels, shown.shades, texts, written=written)
    drawn |= {} if named else {"ygap": 0}
    drawn |= {
        "colorscale": "Cividis",
        "reversescale": True,
        "zmin": -shown.decades,
        "zmax": 0,
        "colorbar": bar,
    }
    drawn["hovertemplate"] = "%{y}<br>%{x}: %{text}<extra></extra>"
    layout = grid_layout(shown.methods, shown.labels, max(180, 20 * rows) if named else 1500)
    if not named:
        layout["yaxis"] |= {"showticklabels": False, "title": {"text": f"{rows:,} tasks"}}
        layout["yaxis"].pop("dtick")
    return {"data": [drawn], "layout": layout}


def _known(view: View) -> Scores | None:
    found = describe(view)
    return found if found.tasks else None


HEAT_MAP: Figure[View, Scores] = Figure(
    name="heat_map",
    heading="Scores by task",
    serves="studies with a score on any task",
    describe=_known,
    draw=lambda _, shown: [("", picture(shown))],
    section=lambda _, shown: paragraph(_CAPTION) + charted(chart(shown)),
)
