"""How trials ended: what early stopping saved, what was tried twice, what failed and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator

from orchestrator.reporting.document import embedded, laid_out, paragraph
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.search.overview import Overview
from orchestrator.reporting.search.style import PARETO, new_figure
from orchestrator.reporting.style import plain
from orchestrator.search.history.endings import (
    Alike,
    Ending,
    Spared,
    endings,
    reasons,
    repeats,
    spared,
    survivors,
)
from orchestrator.text import duration

MOST_ROWS = 20
"""Configurations and reasons of each table; the results have all."""
MOST_NUMBERS = 12
"""Numbers of trials in a row."""


@dataclass(frozen=True)
class Endings:
    """How trials ended.

    Args:
        unit: of training.
        rungs: fidelities at which trials reported; one where there is no early stopping.
        came: how many trials came to each of them.
        endings: the trials by how they ended.
        spared: by early stopping; None: no trial was stopped.
        repeats: configurations that several trials had.
        failed, lost: reasons.
    """

    unit: str
    rungs: tuple[int, ...]
    came: tuple[int, ...]
    endings: tuple[Ending, ...]
    spared: Spared | None
    repeats: tuple[Alike, ...]
    failed: tuple[Alike, ...]
    lost: tuple[Alike, ...]


def describe(view: Overview) -> Endings | None:
    """What there is to say; None before any trial."""
    history = view.history
    if not history.records:
        return None
    rungs = sorted({report.fidelity for one in history.records.values() for report in one.reports})
    return Endings(
        history.start.unit,
        tuple(rungs),
        tuple(survivors(history, rungs)),
        tuple(endings(history)),
        spared(history),
        tuple(repeats(history)),
        tuple(reasons(history.failures)),
        tuple(reasons(history.lost)),
    )


def _pictures(view: Overview, shown: Endings) -> Iterable[tuple[str, Picture]]:
    if len(shown.rungs) < 2:
        return
    figure = new_figure(view, 7.0, 3.8)
    axis = figure.subplots()
    bars = axis.bar([f"{rung:,}" for rung in shown.rungs], shown.came, color=PARETO, width=0.7)
    axis.bar_label(bars, [f"{count:,}" for count in shown.came], padding=2, fontsize=8)
    axis.set_xlabel(f"training ({shown.unit}s)")
    axis.set_ylabel("trials that came so far")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    plain(axis)
    yield "", figure


def chart(shown: Endings) -> go.Figure:
    """How many trials came to each fidelity."""
    figure = laid_out(320)
    figure.add_bar(
        x=[f"{rung:,}" for rung in shown.rungs],
        y=shown.came,
        marker={"color": PARETO},
        text=[f"{count:,}" for count in shown.came],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(title=f"training ({shown.unit}s)", type="category")
    figure.update_yaxes(title="trials that came so far", tickformat=",d")
    return figure


def _section(view: Overview, shown: Endings) -> str:
    parts = [paragraph(_sentences(view, shown)), _counts(shown)]
    if len(shown.rungs) > 1:
        parts.append(embedded(chart(shown)))
    for heading, column, found in (
        ("Why trials failed", "reason", shown.failed),
        ("Why trials were lost", "reason", shown.lost),
        ("Configurations that were tried several times", "configuration", shown.repeats),
    ):
        if found:
            parts.append(f"<h3>{escape(heading)}</h3>{_alike(column, found)}")
    return "\n".join(parts)


def _sentences(view: Overview, shown: Endings) -> str:
    """What people want to know first."""
    said = []
    if (saved := shown.spared) is not None:
        rule = f" by {view.history.start.stopping}" if view.history.start.stopping else ""
        said.append(
            f"{saved.stopped:,} trials were stopped early{rule}: {saved.units:,} of {saved.whole:,} "
            f"{shown.unit}s of training were saved ({saved.share:.0%})."
        )
    failed, lost = (sum(len(one.trials) for one in some) for some in (shown.failed, shown.lost))
    said += [f"{failed:,} trials failed." if failed != 1 else "One trial failed."] if failed else []
    said += [f"{lost:,} were lost with their machine."] if lost else []
    again = sum(len(one.trials) - 1 for one in shown.repeats)
    said += [f"{again:,} repeat an earlier configuration."] if again else []
    return " ".join(said) or "Every trial was trained as far as was asked, and none twice."


def _counts(shown: Endings) -> str:
    head = ("", "trials", f"training ({shown.unit}s)", "time")
    rows = [(one.status, f"{one.trials:,}", f"{one.units:,}", duration(one.seconds)) for one in shown.endings]
    return _table(head, rows, "text")


def _alike(column: str, found: Sequence[Alike]) -> str:
    rows = [(one.text, f"{len(one.trials):,}", _numbers(one.trials)) for one in found[:MOST_ROWS]]
    table = _table((column, "trials", "which"), rows, "reason")
    left = len(found) - MOST_ROWS
    return table + (paragraph(f"and {left:,} more, which results/trials.parquet has") if left > 0 else "")


def _numbers(trials: Sequence[int]) -> str:
    shown = ", ".join(map(str, trials[:MOST_NUMBERS]))
    return shown if len(trials) <= MOST_NUMBERS else f"{shown}, …"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], first: str) -> str:
    """A table whose first column is text."""
    heads = "".join(f"<th{_kind(place, 'text')}>{escape(text)}</th>" for place, text in enumerate(head))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_kind(place, first)}>{escape(cell)}</td>" for place, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _kind(place: int, kind: str) -> str:
    return "" if place else f' class="{kind}"'


ENDINGS: Figure[Overview, Endings] = Figure(
    name="endings",
    heading="How trials ended",
    serves="studies in which a trial has begun",
    describe=describe,
    draw=_pictures,
    section=_section,
)
