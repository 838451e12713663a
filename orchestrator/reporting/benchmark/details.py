"""Tables below the pictures of a benchmark study's page: effect sizes, targets, parts of the study, time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from orchestrator.analysis.breakdown import EVERYTHING
from orchestrator.analysis.groups import EQUAL
from orchestrator.reporting.benchmark.html_tables import Cell, figure, named, table, words
from orchestrator.reporting.benchmark.view import View, p_value
from orchestrator.reporting.document import Section, paragraph

_TARGETS = (
    "A target is a normalised score: 0 is the best that any cell has seen, 1 the worst. The expected time is "
    "what all runs spent until they reached it, per run that did; a run that did not is charged the whole "
    "budget. Speed-ups against {base} are geometric means over the tasks on which both reached the target."
)


def sections(view: View) -> Iterator[Section]:
    """The parts that there is something for."""
    for name, heading, html in (
        ("targets", "Time to targets", targets(view)),
        ("breakdown", "Ranks by kind of task", breakdown(view)),
        ("stability", "Ranks without each suite", stability(view)),
        ("fronts", "Distance to the best known fronts", fronts(view)),
        ("times", "Time that methods take", times(view)),
    ):
        if html:
            yield Section(name, heading, html)


def effects(view: View, group: str) -> str:
    """How large the differences between pairs of methods are."""
    heads = ["first", "second", "tasks", "Δ mean rank", "wins", "ties", "losses", "A12", "p (Wilcoxon, Holm)"]
    heads += ["P(first better)", "P(equal)", "P(second better)"]
    return table(
        heads,
        (
            [
                *(named(view, row.first), named(view, row.second), Cell(str(row.tasks))),
                Cell(f"{row.difference:+.2f}", repr(float(row.difference))),
                *(Cell(str(count)) for count in (row.wins, row.ties, row.losses)),
                Cell(f"{row.a12:.2f}", repr(float(row.a12))),
                Cell(p_value(row.holm_p), repr(float(row.holm_p))),
                *map(_share, (row.bayes_first, row.bayes_equal, row.bayes_second)),
            ]
            for row in view.pairs(group).itertuples()
        ),
    )


def targets(view: View) -> str:
    """Targets reached and speed-ups, by method."""
    frame = view.analysis.targets
    if frame.empty:
        return ""
    sums = frame.groupby(["method", "target"], sort=False).agg(
        runs=("runs", "sum"),
        reached=("reached", "sum"),
        speed_up=("speed_up", _geometric),
        tasks=("task", "size"),
    )
    levels = sorted(frame["target"].unique(), reverse=True)
    heads = ["method", "tasks", "runs"]
    heads += [f"{text} {level:g}" for level in levels for text in ("reach", "speed-up to")]
    rows = []
    for method in view.ranked_in(frame):
        first = sums.loc[(method, levels[0])]
        cells = [named(view, method), Cell(str(int(first["tasks"]))), Cell(str(int(first["runs"])))]
        for level in levels:
            own = sums.loc[(method, level)]
            cells += [_share(own["reached"] / own["runs"]), _times(float(own["speed_up"]))]
        rows.append(cells)
    return paragraph(_TARGETS.format(base=view.results.methods[0])) + table(heads, rows)


def breakdown(view: View) -> str:
    """Mean ranks in parts of the study, a row for each part; the best is bold."""
    frame = view.analysis.breakdown
    if frame.empty:
        return ""
    text = "Mean ranks among the tasks of each kind; 1 is best."
    methods = view.ranked_in(frame)
    rows = [
        [words(level), words(factor), *_ranks(own, methods)]
        for (factor, level), own in frame.groupby(["factor", "level"], sort=False)
    ]
    return paragraph(text) + table(["tasks that are", "by", "tasks", *methods], rows)


def stability(view: View) -> str:
    """Whether the order of methods depends on one suite."""
    frame = view.analysis.stability
    if frame.empty:
        return ""
    places = frame.pivot(index="without", columns="method", values="place")
    moved = [
        suite
        for suite in places.index
        if suite and places.loc[suite].idxmin() != places.loc[EVERYTHING].idxmin()
    ]
    text = "Without any one suite the same method has the best mean rank."
    if moved:
        text = f"Another method has the best mean rank without {', '.join(map(str, moved))}."
    methods = view.ranked_in(frame)
    rows = [
        [words(str(without) or "nothing"), *_ranks(own, methods)]
        for without, own in frame.groupby("without", sort=False)
    ]
    return paragraph(text) + table(["without", "tasks", *methods], rows)


def fronts(view: View) -> str:
    """IGD+ and epsilon by task and method."""
    frame = view.analysis.fronts
    if frame.empty:
        return ""
    text = (
        "Against the non-dominated set of all cells, scaled to [0, 1] in each objective; means over seeds, "
        "smaller is better. IGD+ is the mean distance of its points from what a run dominates, epsilon the "
        "shift after which a run's front dominates all of them."
    )
    rows = [
        [
            words(row.task),
            named(view, row.method),
            Cell(str(row.seeds)),
            figure(row.igd_plus),
            figure(row.epsilon),
        ]
        for row in frame.itertuples()
    ]
    return paragraph(text) + table(["task", "method", "seeds", "IGD+", "epsilon"], rows)


def times(view: View) -> str:
    """How long methods think, besides evaluations; of cells that have recorded it."""
    cells = view.results.cells
    if "thinking" not in cells or not cells["thinking"].notna().any():
        return ""
    known = cells[cells["thinking"].notna() & (cells["evaluations"] > 0)]
    each = known["thinking"] / known["evaluations"]
    grouped = known.assign(each=each).groupby("method", sort=False)
    sums = grouped.agg(cells=("seed", "size"), cell=("thinking", "median"), each=("each", "median"))
    text = (
        "What the methods took for themselves, by the clock and without evaluations: medians over cells, on "
        "whatever machines and beside whatever else ran there."
    )
    rows = [
        [
            *(named(view, method), Cell(str(int(sums.at[method, "cells"])))),
            *(figure(float(sums.at[method, "cell"])), figure(1000 * float(sums.at[method, "each"]))),
        ]
        for method in view.ranked_in(known)
    ]
    return paragraph(text) + table(["method", "cells", "seconds a cell", "milliseconds an evaluation"], rows)


def _ranks(own: pd.DataFrame, methods: list[str]) -> Iterator[Cell]:
    ranks = own.set_index("method")["rank"]
    yield Cell(str(int(own["tasks"].iloc[0])))
    for method in methods:
        rank = float(ranks[method])
        yield Cell(f"{rank:.2f}", repr(rank), "best" if rank - ranks.min() < EQUAL else "")


def _share(value: float) -> Cell:
    return Cell("–", "") if np.isnan(value) else Cell(f"{value:.0%}", repr(float(value)))


def _times(value: float) -> Cell:
    return Cell("–", "") if np.isnan(value) else Cell(f"{value:.2f} ×", repr(float(value)))


def _geometric(values: pd.Series) -> float:
    known = values[values > 0].to_numpy(float)
    return float(np.exp(np.log(known).mean())) if len(known) else float("nan")
