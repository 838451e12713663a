"""How good methods are at any time, over all tasks of a group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from matplotlib.figure import Figure as Picture

from orchestrator.reporting.benchmark.panel_chart import chart
from orchestrator.reporting.benchmark.panel_picture import draw
from orchestrator.reporting.benchmark.panels import TIMES, Panel, Time, floored, lines_of, positive
from orchestrator.reporting.benchmark.view import View, group_name
from orchestrator.reporting.document import charted, paragraph
from orchestrator.reporting.figure import Figure


def panels_of(view: View, time: Time) -> list[Panel]:
    """Normalised incumbents against the share of the budget that is spent, one panel per group."""
    label = "normalised score (lower is better)"
    return [_over_decades(panel) for panel in _panels(view, time, label, ("mean", "low", "high"))]


def ranks_of(view: View, time: Time) -> list[Panel]:
    """Mean ranks against the share of the budget that is spent, one panel per group."""
    return list(_panels(view, time, "mean rank (1 is best)", ("rank", "rank_low", "rank_high")))


def _panels(view: View, time: Time, label: str, columns: tuple[str, str, str]) -> Iterator[Panel]:
    table = view.analysis.overall
    table = table[table["axis"] == time]
    budget = "share of the longest simulated time" if time == "seconds" else "share of the budget spent"
    for group in view.groups:
        rows = table[table["group"] == group]
        if len(rows):
            title = _of_tasks(view, group, int(rows["tasks"].iloc[0]))
            yield Panel(title, budget, label, lines_of(view, rows, columns=columns), percent=True)


def _over_decades(panel: Panel) -> Panel:
    """The panel on a logarithmic axis where its scores span decades: methods soon leave the worst behind."""
    above = positive([line.y for line in panel.lines])
    if above.size == 0 or above.max() <= 20 * above.min():
        return panel
    return replace(panel, lines=floored(panel.lines), log_y=True)


def _of_tasks(view: View, group: str, shown: int) -> str:
    """A group's name; where only some of its tasks have recorded times, with how many."""
    ranks = view.analysis.ranks
    compared = int(ranks[ranks["group"] == group]["tasks"].max())
    name = group_name(group)
    return (
        f"{name} (n = {shown})"
        if shown == compared
        else f"{name}: the {shown} of {compared} with recorded times"
    )


def describe(view: View) -> Mapping[Time, Sequence[Panel]] | None:
    """The panels against each way to count time that has any."""
    found = {time: panels_of(view, time) for time in TIMES}
    return {time: panels for time, panels in found.items() if panels} or None


def _pictures(view: View, shown: Mapping[Time, Sequence[Panel]]) -> Iterator[tuple[str, Picture]]:
    title = "anytime performance" + view.banded(", with 95 % intervals over tasks and seeds")
    for time, panels in shown.items():
        yield time, draw(view, title, panels, columns=2, size=(6.2, 3.8))
        ranks = "mean ranks over the budget" + view.banded(", with 95 % intervals over tasks")
        yield f"{time}_ranks", draw(view, ranks, ranks_of(view, time), columns=2, size=(6.2, 3.8))


def _section(view: View, shown: Mapping[Time, Sequence[Panel]]) -> str:
    bands = view.banded(", with 95 % bootstrap intervals over tasks and seeds")
    text = (
        "The best so far (at full fidelity, or at any where the suite says anytime), normalised by task and "
        f"averaged over tasks{bands}. Below, mean ranks. Click on a method in a legend to hide it in all "
        "charts, twice to see it alone."
    )
    every = [each for time, panels in shown.items() for each in (panels, ranks_of(view, time))]
    drawn = [charted(chart(panels, view.looks, columns=2)) for panels in every]
    return paragraph(text) + "".join(drawn)


OVERALL: Figure[View, Mapping[Time, Sequence[Panel]]] = Figure(
    name="overall",
    heading="Anytime performance",
    serves="studies in which methods can be ranked",
    describe=describe,
    draw=_pictures,
    section=_section,
    parts="axis",
)
