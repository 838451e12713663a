"""Draws a search study as one interactive page that needs nothing from the network."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
import plotly.graph_objects as go

from orchestrator.reporting.document import document, embedded
from orchestrator.reporting.search import charts
from orchestrator.reporting.search.overview import Axis, Overview
from orchestrator.text import number

_KNEE = "tr.knee { background: #fbe6d8; }"

Section = tuple[str, str, go.Figure]


def page(view: Overview) -> str:
    """The page as HTML."""
    parts = [_table(view)] if view.pareto.any() else ["<p>No feasible trial was trained fully.</p>"]
    if view.counts:
        parts.insert(0, f"<p>Trials: {escape(view.counts)}.</p>")
    for heading, text, figure in _sections(view):
        parts.append(f"<h2>{escape(heading)}</h2>\n<p>{escape(text)}</p>\n{embedded(figure)}")
    return document(view.title, "\n".join(parts), _KNEE)


def _sections(view: Overview) -> Iterator[Section]:
    if len(view.trials) or len(view.less.trials):
        if len(view.objectives) == 2:
            yield (
                "Trade-off",
                "Hover over a trial to see its configuration; click in the legend to hide.",
                charts.flat(view),
            )
        if len(view.objectives) == 3:
            yield (
                "Trade-off",
                "Drag to turn; hover over a trial to see its configuration.",
                charts.solid(view),
            )
        yield (
            "Parameters and objectives",
            "Drag along an axis to keep only the trials that pass there, a heading to move its axis.",
            charts.parallel(view),
        )
        if len(view.objectives) == 1:
            yield "Slices", "The objective over each parameter.", charts.slices(view)
    if view.progress.known:
        yield "Progress", "Trials that were not trained fully do not move the line.", charts.progress(view)
    if view.curves:
        yield "Learning curves", "What each trial reported, rung by rung.", charts.learning_curves(view)
    if view.importance:
        text = (
            "By PED-ANOVA: how differently a parameter is distributed among the best tenth of the trials "
            "(at least five) and among all that were trained fully; shares of the sum."
        )
        yield "Importance of the parameters", text, charts.importances(view)


def _table(view: Overview) -> str:
    columns = [*view.objectives, *view.parameters]
    rows = np.flatnonzero(view.pareto)
    rows = rows[np.argsort(view.objectives[0].values[rows])]
    head = "".join(f"<th>{escape(text)}</th>" for text in ("trial", *(axis.label for axis in columns)))
    lines = []
    for row in rows:
        cells = [str(view.trials[row]), *(_cell(axis, int(row)) for axis in columns)]
        mark = ' class="knee"' if row == view.knee and len(view.objectives) > 1 else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    heading = "Pareto set" if len(view.objectives) > 1 else "Best trial"
    note = "<p>The knee point, the best trade-off, is highlighted.</p>" if len(view.objectives) > 1 else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<h2>{heading}</h2>{note}<div class="wide">{table}</div>'


def _cell(axis: Axis, row: int) -> str:
    value = axis.values[row]
    return axis.categories[int(value)] if axis.categories and not np.isnan(value) else number(value)
