"""Draws a search study as one interactive page that needs nothing from the network."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from orchestrator.search.plots import charts
from orchestrator.search.plots.overview import Axis, Overview
from orchestrator.text import number

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: "Open Sans", Verdana, Arial, sans-serif; color: #2a3f5f; }}
body {{ margin: 1.5rem auto; max-width: 1150px; padding: 0 1rem; }}
h1 {{ font-size: 1.25rem; }}
h2 {{ font-size: 1.05rem; margin: 2rem 0 0.3rem; }}
p {{ margin: 0.2rem 0 0.6rem; font-size: 0.9rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 0.85rem; }}
th, td {{ padding: 0.25rem 0.8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }}
tr.knee {{ background: #fbe6d8; }}
</style>
<script>{script}</script>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""

Section = tuple[str, str, go.Figure]


def page(view: Overview) -> str:
    """The page as HTML."""
    parts = [_table(view)] if view.pareto.any() else ["<p>No feasible trial was trained fully.</p>"]
    for heading, text, figure in _sections(view):
        drawn = figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False})
        parts.append(f"<h2>{escape(heading)}</h2>\n<p>{escape(text)}</p>\n{drawn}")
    return _PAGE.format(title=escape(view.title), script=get_plotlyjs(), body="\n".join(parts))


def _sections(view: Overview) -> Iterator[Section]:
    if len(view.trials):
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
    if np.isfinite(view.progress.values).any():
        yield "Progress", "Trials that were not trained fully change nothing here.", charts.progress(view)
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
