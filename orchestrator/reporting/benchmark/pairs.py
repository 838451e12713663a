"""Methods against each other: Wilcoxon's test of every pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Picture
from matplotlib.patches import Patch

from orchestrator.reporting.benchmark.critical import ALPHA
from orchestrator.reporting.benchmark.details import effects
from orchestrator.reporting.benchmark.grid import (
    MOST_WRITTEN,
    MOST_WRITTEN_IN_PICTURES,
    grid_layout,
    heat,
    name_axes,
)
from orchestrator.reporting.benchmark.view import View, counted, group_name, p_value
from orchestrator.reporting.document import Chart, charted, chooser, paragraph
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats

if TYPE_CHECKING:
    import pandas as pd

BETTER, NO_DIFFERENCE, WORSE = "#0072b2", "#ececec", "#d55e00"
"""How the method of a row does against that of a column."""

_CAPTION = (
    "Wilcoxon's signed-rank test over tasks, p-values corrected by Holm. Blue: the row's method is "
    "significantly better than the column's (α = 0.05); orange: it is worse. The test weighs tasks by "
    "the size of the difference: a method may be better here and have the worse mean rank."
)


@dataclass(frozen=True)
class Pairs:
    """Methods against each other.

    Args:
        group: of tasks.
        title: what is compared.
        methods: of rows and columns, best mean rank first.
        p: Holm-corrected p-values, symmetric; NaN on the diagonal and where there is no test.
        verdicts: 1 where the row's method is significantly better, -1 where worse, else 0; NaN as ``p``. By
            the test's own direction, which need not be that of the mean ranks.
        differences: of mean ranks, row minus column.
    """

    group: str
    title: str
    methods: tuple[str, ...]
    p: Floats
    verdicts: Floats
    differences: Floats


def describe(view: View) -> list[Pairs]:
    """One matrix for each group whose methods were compared in pairs."""
    table = view.analysis.pairs
    found = []
    for group in view.groups:
        rows = table[table["group"] == group]
        if rows["holm_p"].notna().any():
            methods = tuple(m for m in view.ranked(group) if m in set(rows["first"]) | set(rows["second"]))
            found.append(_pairs(group, methods, rows))
    return found


def _pairs(group: str, methods: tuple[str, ...], rows: pd.DataFrame) -> Pairs:
    places = {method: place for place, method in enumerate(methods)}
    p = np.full((len(methods), len(methods)), np.nan)
    differences, signs = p.copy(), p.copy()
    for row in rows.itertuples():
        i, j = places[row.first], places[row.second]
        p[i, j] = p[j, i] = row.holm_p
        differences[i, j], differences[j, i] = row.difference, -row.difference
        signs[i, j], signs[j, i] = row.wilcoxon_sign, -row.wilcoxon_sign
    verdicts = np.where(np.isnan(p), np.nan, np.where(p < ALPHA, -signs, 0.0))
    return Pairs(group, group_name(group), methods, p, verdicts, differences)


def picture(pairs: Pairs) -> Picture:
    """Methods × methods."""
    count = len(pairs.methods)
    names = 0.085 * max(map(len, pairs.methods))
    size = 0.6 if count <= MOST_WRITTEN_IN_PICTURES else 0.3
    side = 0.5 + names + size * max(5, count)
    figure = Picture(figsize=(side, side + 0.6), layout="constrained")
    axis = figure.subplots()
    colors = ListedColormap([WORSE, NO_DIFFERENCE, BETTER])
    axis.imshow(pairs.verdicts, cmap=colors, vmin=-1, vmax=1, interpolation="none")
    name_axes(axis, pairs.methods, pairs.methods)
    if count <= MOST_WRITTEN_IN_PICTURES:
        for (row, column), value in np.ndenumerate(pairs.p):
            color = "black" if pairs.verdicts[row, column] == 0 else "white"
            text = "" if row == column else p_value(value)
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    axis.set_title(f"{pairs.title}:\nWilcoxon's p, Holm", fontsize=10)
    legend = [
        Patch(color=BETTER, label="row better"),
        Patch(color=NO_DIFFERENCE, label="not significant"),
        Patch(color=WORSE, label="row worse"),
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def chart(shown: Pairs) -> Chart:
    """Methods × methods."""
    count = len(shown.methods)
    texts = [
        ["" if i == j else p_value(value) for j, value in enumerate(row)] for i, row in enumerate(shown.p)
    ]
    drawn = heat(shown.methods, shown.methods, shown.verdicts, texts, written=count <= MOST_WRITTEN)
    steps = [WORSE, WORSE, NO_DIFFERENCE, NO_DIFFERENCE, BETTER, BETTER]
    places = [0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1]
    drawn |= {
        "colorscale": [list(step) for step in zip(places, steps, strict=True)],
        "zmin": -1,
        "zmax": 1,
        "customdata": np.nan_to_num(shown.differences).round(3).tolist(),
        "hovertemplate": "%{y} against %{x}<br>p %{text}, mean ranks differ by %{customdata}<extra></extra>",
        "colorbar": {
            "tickvals": [-2 / 3, 0, 2 / 3],
            "ticktext": ["row worse", "not significant", "row better"],
        },
    }
    width, height = (70, 42) if count <= MOST_WRITTEN else (28, 24)
    layout = grid_layout(shown.methods, shown.methods, height * max(4, count))
    layout["width"] = min(1110, width * max(4, count) + layout["margin"]["l"] + 130)
    return {"data": [drawn], "layout": layout}


def _body(view: View, shown: Pairs) -> str:
    """The matrix, unless so few tasks can show nothing, and the effect sizes."""
    drawn = charted(chart(shown))
    tasks = int(view.analysis.pairs.loc[view.analysis.pairs["group"] == shown.group, "tasks"].iloc[0])
    pairs = len(shown.methods) * (len(shown.methods) - 1) // 2
    # All signs alike is the most extreme result that the exact test knows.
    if pairs * 2.0 ** (1 - tasks) >= ALPHA:
        drawn = paragraph(
            f"With {counted(tasks, 'task')} and {counted(pairs, 'pair')}, Wilcoxon's test can find no "
            "difference significant after Holm's correction, however large it is. Effect sizes say more:"
        )
    return drawn + effects(view, shown.group)


PAIRS: Figure[View, Sequence[Pairs]] = Figure(
    name="pairs",
    heading="Methods in pairs",
    serves="groups of tasks with a test of at least one pair of methods",
    describe=lambda view: describe(view) or None,
    draw=lambda _, shown: ((one.group, picture(one)) for one in shown),
    section=lambda view, shown: (
        paragraph(_CAPTION) + chooser("Group", [(one.title, _body(view, one)) for one in shown])
    ),
    parts="group",
)
