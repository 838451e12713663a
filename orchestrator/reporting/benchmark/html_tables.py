"""The tables of a benchmark study's page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from orchestrator.benchmark.records import TaskRecord
from orchestrator.objective import in_own_direction
from orchestrator.reporting.benchmark.looks import Look
from orchestrator.reporting.benchmark.panels import objective_of
from orchestrator.reporting.benchmark.view import View, counted, group_name, p_value, sample
from orchestrator.reporting.document import TALL, packed
from orchestrator.text import first_line, number

MOST_ROWS = 200
"""Further rows come when one scrolls to them."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Args:
        text: HTML.
        value: what it is sorted by, where that is not its text.
        kind: class names.
        style: CSS.
    """

    text: str
    value: str | None = None
    kind: str = ""
    style: str = ""

    @property
    def html(self) -> str:
        """The cell itself."""
        value = "" if self.value is None else f' data-value="{escape(self.value)}"'
        kind = f' class="{self.kind}"' if self.kind else ""
        style = f' style="{self.style}"' if self.style else ""
        return f"<td{kind}{value}{style}>{self.text}</td>"


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A sortable table."""
    every = list(rows)
    kinds = [cell.kind for cell in every[0]] if every else [""] * len(heads)
    names = [
        f'<th class="text">{escape(head)}</th>' if kind in ("text", "reason") else f"<th>{escape(head)}</th>"
        for head, kind in zip(heads, kinds, strict=True)
    ]
    lines = [f"<tr>{''.join(cell.html for cell in row)}</tr>" for row in every]
    body, rest = "".join(lines[:MOST_ROWS]), "".join(lines[MOST_ROWS:])
    kind = "wide tall" if len(every) > TALL else "wide"
    head = f"<thead><tr>{''.join(names)}</tr></thead>"
    later = f'<script type="text/plain" class="rest">{packed(rest)}</script>' if rest else ""
    return f'<div class="{kind}"><table>{head}<tbody>{body}</tbody></table>{later}</div>'


def words(text: str, kind: str = "text") -> Cell:
    """A cell of text."""
    return Cell(escape(text), kind=kind)


def figure(value: float, kind: str = "") -> Cell:
    """A cell with a number."""
    return Cell(number(value), "" if np.isnan(value) else repr(float(value)), kind)


def named(view: View, method: str) -> Cell:
    """A cell with a method and how it looks."""
    return Cell(swatch(view.looks[method]) + escape(method), method, "text")


def swatch(look: Look) -> str:
    """A piece of a method's line."""
    dash = "" if look.dash == "solid" else f' stroke-dasharray="{look.dash.replace("px", "")}"'
    line = f'<line x1="0" y1="5" x2="26" y2="5" stroke="{look.color}" stroke-width="3"{dash}/>'
    return f'<svg class="look" width="26" height="10" aria-hidden="true">{line}</svg>'


def ranks(view: View) -> str:
    """Mean ranks, methods × groups, as bars."""
    by_group = view.ranks_by_group
    heads = ["method", *(f"{group_name(group)} (n: {sample(own)})" for group, own in by_group.items())]
    rows = []
    for method in view.ranked(view.widest):
        cells = [
            _bar(own, method, view.looks[method], headed=not view.no_best(group))
            for group, own in by_group.items()
        ]
        rows.append([named(view, method), *cells])
    return table(heads, rows)


def _bar(ranks_of_group: pd.DataFrame, method: str, look: Look, *, headed: bool) -> Cell:
    if method not in ranks_of_group.index or np.isnan(ranks_of_group.at[method, "rank"]):
        return Cell("–", "", "bar")
    rank = float(ranks_of_group.at[method, "rank"])
    width = 100 * rank / len(ranks_of_group)
    color = f"{look.color}40"
    style = f"background-image: linear-gradient({color}, {color}); background-size: {width:.0f}% 80%"
    best = " best" if headed and rank == ranks_of_group["rank"].min() else ""
    return Cell(f"{rank:.2f}", repr(rank), f"bar{best}", style)


def tests(view: View) -> str:
    """The Friedman tests."""
    rows = view.analysis.tests[view.analysis.tests["group"].isin(view.groups)]
    heads = ["tasks", "methods", "number of tasks", "Friedman's statistic", "p", "critical difference"]
    return table(
        heads,
        (
            [
                words(group_name(row.group)),
                Cell(str(row.methods)),
                Cell(str(row.tasks)),
                figure(row.statistic),
                Cell(p_value(row.p), repr(float(row.p))),
                figure(row.critical_difference),
            ]
            for row in rows.itertuples()
        ),
    )


def described(task: TaskRecord) -> str:
    """A task in one line."""
    parts = [
        counted(task.dimension, "parameter"),
        f"{task.evaluations:,} full evaluations",
        *([f"fidelity up to {task.full:,} ({task.unit})"] if task.full > 1 else []),
        *_optimum(task),
        "deterministic" if task.deterministic else "depends on the seed",
        *(["with recorded run times"] if task.timed else []),
    ]
    return f"{', '.join(parts)}."


def _optimum(task: TaskRecord) -> list[str]:
    if task.optimum is None:
        return []
    return [f"optimum {number(in_own_direction(task.optimum, objective_of(task, 0)))}"]


def tasks(view: View) -> str:
    """What the tasks are."""
    heads = ["task", "type", "parameters", "full evaluations", "objectives", "facts"]
    rows = []
    for task in view.results.tasks.values():
        pairs = zip(task.objectives, task.directions, strict=True)
        rows.append(
            [
                words(task.name),
                words(task.type),
                Cell(str(task.dimension)),
                Cell(f"{task.evaluations:,}", str(task.evaluations)),
                words(", ".join(f"{name} ({direction})" for name, direction in pairs)),
                words(described(task).split("evaluations, ", 1)[1].rstrip("."), "reason"),
            ]
        )
    return table(heads, rows)


def omitted(view: View) -> str:
    """Every test, task, method and pairing that is not in the numbers above, or only in part."""
    frame = view.analysis.omitted
    rows = [[words(row.group), words(row.what), words(row.reason, "reason")] for row in frame.itertuples()]
    return table(["group", "what", "reason"], rows) if rows else "<p>Nothing.</p>"


def failures(view: View) -> str:
    """Cells that failed, were lost or ended early, and how many evaluations of each method failed."""
    cells, evaluations = view.results.cells, view.results.evaluations
    bad = evaluations[evaluations["status"] == "failed"]
    parts = []
    for status, text in _ENDED.items():
        some = cells[(cells["status"] == status) & (cells["reason"] != "")]
        if len(some):
            parts.append(f"<p>{counted(len(some), 'cell')} of {len(cells):,} {text}.</p>")
            parts.append(table(["task", "method", "seed", "reason"], _failed_cells(view, some)))
    if len(bad):
        parts.append(f"<p>{counted(len(bad), 'evaluation')} of {len(evaluations):,} failed.</p>")
        heads = ["method", "failed", "share", "tasks", "most frequent reason"]
        parts.append(table(heads, _failed_evaluations(view, bad)))
    return "".join(parts) or "<p>No evaluation and no cell failed.</p>"


_ENDED = {
    "failed": "failed",
    "lost": "were lost with their machine; a study that is resumed computes them",
    "finished": "ended before the budget was spent",
}


def _failed_cells(view: View, failed: pd.DataFrame) -> Iterator[list[Cell]]:
    for row in failed.itertuples():
        reason = words(first_line(row.reason), "reason")
        yield [words(row.task), named(view, row.method), Cell(str(row.seed)), reason]


def _failed_evaluations(view: View, bad: pd.DataFrame) -> Iterator[list[Cell]]:
    totals = view.results.evaluations["method"].value_counts()
    for method in view.results.methods:
        own = bad[bad["method"] == method]
        if len(own):
            share = len(own) / totals[method]
            yield [
                named(view, method),
                Cell(f"{len(own):,}", str(len(own))),
                Cell(f"{share:.1%}", repr(float(share))),
                Cell(str(own["task"].nunique())),
                words(first_line(own["reason"].mode().iloc[0]), "reason"),
            ]
