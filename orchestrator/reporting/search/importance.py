"""How important each hyperparameter was for every goal."""

from __future__ import annotations

import math
from html import escape

import plotly.graph_objects as go
from matplotlib.figure import Figure as Picture
from plotly.subplots import make_subplots

from orchestrator.reporting.document import captioned, laid_out
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.search.overview import Overview
from orchestrator.reporting.search.style import PARETO, new_figure

_CAPTION = (
    "By PED-ANOVA: how differently a parameter is distributed among the best tenth of the trials "
    "(at least five) and among all that were trained fully; shares of the sum."
)


def picture(view: Overview) -> Picture:
    """The shares of the parameters in each goal."""
    names = list(view.importance[0].shares)
    columns = min(4, len(view.importance))
    rows = math.ceil(len(view.importance) / columns)
    figure = new_figure(view, max(7.0, 2.0 + 3.2 * columns), 1.3 + (0.5 + 0.32 * len(names)) * rows)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axis, one in zip(axes, view.importance, strict=False):
        shares = [one.shares[name] for name in names]
        bars = axis.barh(names, shares, color=PARETO, height=0.65)
        axis.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3, fontsize=8)
        axis.set_title(f"for {one.goal}", loc="left", fontsize=10)
        axis.set_xlim(0, 1.12)
        axis.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(view.importance) :]:
        axis.remove()
    axes[0].invert_yaxis()
    figure.supxlabel("importance by PED-ANOVA: what sets the best trials apart from all", fontsize=9)
    return figure


def chart(view: Overview) -> go.Figure:
    """The shares of the parameters in each goal."""
    names = list(view.importance[0].shares)
    titles = [f"for {escape(one.goal)}" for one in view.importance]
    count = len(view.importance)
    grid = make_subplots(1, count, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03)
    figure = laid_out(130 + 34 * len(names), grid)
    for column, one in enumerate(view.importance, start=1):
        shares = [one.shares[name] for name in names]
        texts = [f"{share:.0%}" for share in shares]
        figure.add_bar(
            x=shares,
            y=names,
            orientation="h",
            marker={"color": PARETO},
            text=texts,
            textposition="outside",
            showlegend=False,
            row=1,
            col=column,
        )
    figure.update_xaxes(range=[0, 1.2], tickformat=".0%", tickvals=[0, 0.5, 1])
    figure.update_yaxes(autorange="reversed")
    return figure


IMPORTANCE: Figure[Overview, Overview] = Figure(
    name="importance",
    heading="Importance of the parameters",
    serves="studies with at least ten trials that were trained fully",
    describe=lambda view: view if view.importance else None,
    draw=lambda view, _: [("", picture(view))],
    section=lambda view, _: captioned(_CAPTION, chart(view)),
)
