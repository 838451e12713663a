"""Draws coloured tables as pictures."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from orchestrator.reporting.benchmark.matrices import (
    BETTER,
    NO_DIFFERENCE,
    WORSE,
    Pairs,
    Scores,
    p_value,
    score,
)

MOST_WRITTEN = 14
"""With more columns, colours stand alone: their numbers are in the tables."""


def draw_scores(scores: Scores) -> Figure:
    """Tasks × methods."""
    rows, columns = scores.values.shape
    names = 0.075 * max(map(len, scores.labels))
    cell = 0.62 if columns <= MOST_WRITTEN else 0.36
    heads = 0.06 * max(map(len, scores.methods))
    size = (1.6 + names + cell * max(6, columns), 1.4 + heads + 0.24 * rows)
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(
        scores.shades, cmap="cividis_r", vmin=-scores.decades, vmax=0, aspect="auto", interpolation="none"
    )
    _names(axis, scores.methods, scores.labels)
    if columns <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(scores.values):
            dark = scores.shades[row, column] > -0.45 * scores.decades
            text = score(value)
            axis.text(
                column, row, text, ha="center", va="center", fontsize=7, color="white" if dark else "black"
            )
    for row in range(1, rows):
        if scores.types[row] != scores.types[row - 1]:
            axis.axhline(row - 0.5, color="white", linewidth=3)
    bar = figure.colorbar(image, ax=axis, pad=0.02, fraction=0.04, aspect=max(8, min(40, rows)))
    places, texts = scores.ticks
    bar.set_ticks(places, labels=texts)
    bar.set_label("normalised score (0 is best)", fontsize=9)
    return figure


def draw_pairs(pairs: Pairs) -> Figure:
    """Methods × methods."""
    count = len(pairs.methods)
    names = 0.085 * max(map(len, pairs.methods))
    size = 0.6 if count <= MOST_WRITTEN else 0.3
    side = 0.5 + names + size * max(5, count)
    figure = Figure(figsize=(side, side + 0.6), layout="constrained")
    axis = figure.subplots()
    colors = ListedColormap([WORSE, NO_DIFFERENCE, BETTER])
    axis.imshow(pairs.verdicts, cmap=colors, vmin=-1, vmax=1, interpolation="none")
    _names(axis, pairs.methods, pairs.methods)
    if count <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(pairs.p):
            color = "black" if pairs.verdicts[row, column] == 0 else "white"
            text = "" if row == column else p_value(value)
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    axis.set_title(f"{pairs.title}: Wilcoxon's p, corrected by Holm", fontsize=10)
    legend = [
        Patch(color=BETTER, label="row better"),
        Patch(color=NO_DIFFERENCE, label="not significant"),
        Patch(color=WORSE, label="row worse"),
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _names(axis: Axes, columns: tuple[str, ...], rows: list[str] | tuple[str, ...]) -> None:
    axis.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor", fontsize=8)
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(rows)), rows, fontsize=8)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
