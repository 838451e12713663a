"""Mean ranks of the methods."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator

from orchestrator.analysis.counting import RULE
from orchestrator.reporting.benchmark import html_tables
from orchestrator.reporting.benchmark.view import View, group_name
from orchestrator.reporting.document import paragraph
from orchestrator.reporting.figure import Figure

_CAPTION = (
    "Ranks on each task: first by how few seeds have no result, then by the mean final value; 1 is best. "
    "Click on a heading to sort."
)


def picture(view: View) -> Picture:
    """Mean ranks as bars, the best on top, one panel per group."""
    table = view.analysis.ranks
    shown = view.groups
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    most = max(int((table["group"] == group).sum()) for group in shown)
    figure = Picture(
        figsize=(max(6.5, 4.4 * columns), 0.7 + rows * (0.8 + 0.26 * most)), layout="constrained"
    )
    figure.suptitle(f"{view.results.name}: mean ranks", fontsize=11)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, group in zip(axes, shown, strict=False):
        own = table[table["group"] == group].sort_values("rank", kind="stable")
        values = own["rank"].to_numpy(float)
        bars = axis.barh(
            own["method"], values, color=[view.looks[m].color for m in own["method"]], height=0.65
        )
        axis.bar_label(bars, [f"{value:.2f}" for value in values], padding=3, fontsize=8)
        axis.set_title(f"{group_name(group)} ({own['tasks'].max()})", loc="left", fontsize=9.5)
        axis.set_xlabel("mean rank (1 is best)", fontsize=9)
        axis.set_xlim(0, 1.15 * np.nanmax(values))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.tick_params(labelsize=8)
        axis.set_ylim(len(own) - 0.4, -0.6)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(shown) :]:
        axis.remove()
    return figure


RANKS: Figure[View, View] = Figure(
    name="ranks",
    heading="Mean ranks",
    serves="studies in which methods can be ranked",
    describe=lambda view: view if view.groups else None,
    draw=lambda view, _: [("", picture(view))],
    section=lambda view, _: paragraph(_CAPTION) + html_tables.ranks(view) + paragraph(RULE),
)
