"""Draws a search study as one interactive page that needs nothing from the network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import numpy as np

from orchestrator.reporting.document import TALL, Section, document
from orchestrator.reporting.search.configurations import configurations, key
from orchestrator.reporting.search.overview import Axis, Overview
from orchestrator.search.history.standings import standings
from orchestrator.text import number


def page(view: Overview, sections: Iterable[Section]) -> str:
    """The page as HTML: what came out as a table, then the figures."""
    summary = [headline(view), *([f"Trials: {view.counts}."] if view.counts else [])]
    first = [_table(view)] if view.pareto.any() else []
    first += _finalists(view)
    return document(view.title, [*first, *sections], summary, configurations(view.history))


def headline(view: Overview) -> str:
    """What came out, in a sentence."""
    row = view.knee
    if row is None:
        return "No feasible trial was trained fully."
    trial, count = view.trials[row], len(view.trials)
    values = [_cell(axis, row) for axis in view.objectives]
    again = next((one for one in standings(view.history) if one.number == trial and one.best), None)
    if again is not None:
        means = (again.texts(place)[0] for place in range(len(values)))
        values = [f"{mean} in its evaluations with new seeds" for mean in means]
    if len(values) > 1:
        reached = ", ".join(
            f"{axis.name} {value}" for axis, value in zip(view.objectives, values, strict=True)
        )
        front = f"Pareto set: {int(view.pareto.sum()):,} of {count:,} trials."
        return f"{front} Its knee, the best trade-off, is trial {trial}: {reached}."
    (axis,) = view.objectives
    median = number(float(np.median(axis.values)))
    return f"{axis.label}: {values[0]}, by trial {trial}; the median of {count:,} trials is {median}."


def _table(view: Overview) -> Section:
    columns = [*view.objectives, *view.parameters]
    rows = np.flatnonzero(view.pareto)
    rows = rows[np.argsort(view.objectives[0].values[rows])]
    head = "".join(f"<th>{escape(text)}</th>" for text in ("trial", *(axis.label for axis in columns)))
    lines = []
    for row in rows:
        cells = [str(view.trials[row]), *(_cell(axis, int(row)) for axis in columns)]
        mark = ' class="knee"' if row == view.knee and len(view.objectives) > 1 else ""
        named = f' data-configuration="{key(int(view.trials[row]))}"'
        lines.append(f"<tr{mark}{named}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    heading = "Pareto set" if len(view.objectives) > 1 else "Best trial"
    note = "The knee point, the best trade-off, is highlighted. " if len(view.objectives) > 1 else ""
    note = f"<p>{note}A click on a row, or on a point of a chart, shows its configuration as YAML.</p>"
    kind = "wide tall" if len(lines) > TALL else "wide"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return Section("best", heading, f'{note}<div class="{kind}">{table}</div>')


def _finalists(view: Overview) -> list[Section]:
    """What the best trials reached in the search, and with new seeds."""
    found, objectives = standings(view.history), view.objectives
    if not found:
        return []
    head = [
        "trial",
        *(text for axis in objectives for text in (axis.label, "in the search")),
        "evaluations",
        "",
    ]
    lines = []
    for one in found:
        values = [text for place in range(len(objectives)) for text in one.texts(place)]
        cells = [str(one.number), *values, str(one.evaluations), one.reason or ("best" if one.best else "")]
        mark = ' class="knee"' if one.knee else ""
        named = f' data-configuration="{key(one.number)}"'
        lines.append(f"<tr{mark}{named}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    note = "<p>The best trials were trained again with new seeds, and the means of that decide.</p>"
    heads = "".join(f"<th>{escape(text)}</th>" for text in head)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return [Section("finalists", "Finalists", f'{note}<div class="wide">{table}</div>')]


def _cell(axis: Axis, row: int) -> str:
    value = axis.values[row]
    return axis.categories[int(value)] if axis.categories and not np.isnan(value) else number(value)
