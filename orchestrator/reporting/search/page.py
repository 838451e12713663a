"""Draws a search study as one interactive page that needs nothing from the network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import numpy as np

from orchestrator.reporting.document import Section, document, headed, paragraph
from orchestrator.reporting.search.overview import Axis, Overview
from orchestrator.text import number

_KNEE = "tr.knee { background: #fbe6d8; }"


def page(view: Overview, sections: Iterable[Section]) -> str:
    """The page as HTML: what came out as a table, then the figures."""
    parts = [_table(view)] if view.pareto.any() else ["<p>No feasible trial was trained fully.</p>"]
    if view.counts:
        parts.insert(0, paragraph(f"Trials: {view.counts}."))
    parts += map(headed, sections)
    return document(view.title, "\n".join(parts), _KNEE)


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
