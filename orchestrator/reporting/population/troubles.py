"""What of a population failed or was lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from html import escape

from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.document import paragraph
from orchestrator.reporting.figure import Figure

MOST_ROWS = 20
"""Reasons that the table has; the results have all failures."""
MOST_MEMBERS = 12
"""Members in a row."""


@dataclass(frozen=True)
class Reason:
    """Why intervals failed: how many, of which members, and in which generations at first and at last."""

    text: str
    intervals: int
    members: tuple[int, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Troubles:
    """What failed or was lost.

    Args:
        reasons: of failed intervals, the most frequent first.
        taken_back: intervals that a resume went back behind, and that were trained again.
        remarks: what islands had to say, with how often; such as that a process died.
    """

    reasons: tuple[Reason, ...]
    taken_back: int
    remarks: tuple[tuple[str, int], ...]


def describe(history: PopulationHistory) -> Troubles | None:
    """What there is to tell; None where nothing went wrong."""
    places: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for record in history.records():
        if record.failure is not None:
            places[record.failure].append((record.generation, record.member))
    reasons = [
        Reason(
            text,
            len(found),
            tuple(sorted({member for _, member in found})),
            min(generation for generation, _ in found),
            max(generation for generation, _ in found),
        )
        for text, found in places.items()
    ]
    remarks = Counter(history.remarks).most_common()
    if not (reasons or remarks or history.taken_back):
        return None
    reasons.sort(key=lambda one: -one.intervals)
    return Troubles(tuple(reasons), history.taken_back, tuple(remarks))


def _section(shown: Troubles) -> str:
    failed = sum(one.intervals for one in shown.reasons)
    said = [f"Member-intervals that failed: {failed:,}."]
    if shown.taken_back:
        said.append(f"Lost when the study was interrupted, and trained again: {shown.taken_back:,}.")
    parts = [paragraph(" ".join(said))]
    if shown.reasons:
        parts.append(_table(shown))
    if shown.remarks:
        lines = "".join(
            f"<li>{escape(text)}{f' ({count:,} times)' if count > 1 else ''}</li>"
            for text, count in shown.remarks[:MOST_ROWS]
        )
        parts.append(f"<h3>What islands reported</h3><ul>{lines}</ul>")
    return "\n".join(parts)


def _table(shown: Troubles) -> str:
    head = '<tr><th class="text">reason</th><th>intervals</th><th>members</th><th>generations</th></tr>'
    rows = "".join(
        f'<tr><td class="reason">{escape(one.text)}</td><td>{one.intervals:,}</td>'
        f"<td>{_members(one)}</td><td>{_generations(one)}</td></tr>"
        for one in shown.reasons[:MOST_ROWS]
    )
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _generations(reason: Reason) -> str:
    return f"{reason.first}" if reason.first == reason.last else f"{reason.first}–{reason.last}"


def _members(reason: Reason) -> str:
    shown = ", ".join(map(str, reason.members[:MOST_MEMBERS]))
    return shown if len(reason.members) <= MOST_MEMBERS else f"{shown}, …"


TROUBLES: Figure[PopulationHistory, Troubles] = Figure(
    name="troubles",
    heading="What failed or was lost",
    serves="population studies in which something went wrong",
    describe=describe,
    draw=lambda _history, _shown: (),
    section=lambda _, shown: _section(shown),
)
