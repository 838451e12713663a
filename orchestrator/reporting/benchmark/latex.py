"""Tables for papers, in LaTeX with booktabs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from orchestrator.analysis.groups import EQUAL
from orchestrator.analysis.statistics import holm
from orchestrator.objective import sign
from orchestrator.reporting.benchmark.critical import ALPHA
from orchestrator.reporting.benchmark.panels import objective_of
from orchestrator.reporting.benchmark.view import View, counted, group_name, sample
from orchestrator.reporting.scales import Floats
from orchestrator.text import number

_ESCAPES = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
Line = Sequence[str]

MOST_EXACT = 8
"""With more runs of a method the rank-sum test is never the exact one, as scipy chooses."""


def latex_tables(view: View) -> Mapping[str, str]:
    """The tables by name: ``ranks``, ``pairs`` and ``scores``, those that there is something for.

    Each is a ``tabular`` below comments that say what it shows; the package ``booktabs`` is needed.
    """
    made = {"ranks": _ranks(view), "pairs": _pairs(view), "scores": _scores(view)}
    return {name: text for name, text in made.items() if text}


def escaped(text: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(_ESCAPES.get(char, char) for char in text)


def _ranks(view: View) -> str:
    """Mean ranks by group. Bold: the best; a dagger: significantly worse than it (Nemenyi)."""
    if not view.groups:
        return ""
    by_group = view.ranks_by_group
    heads = ["method"]
    heads += [f"{escaped(group_name(group))} ({sample(own)})" for group, own in by_group.items()]
    lines = [
        [escaped(method), *(_rank(view, group, own, method) for group, own in by_group.items())]
        for method in view.ranked(view.widest)
    ]
    notes = [
        "Mean ranks, 1 is best.",
        "Bold: the best. Dagger: significantly worse than it by Nemenyi's test, alpha = 0.05.",
    ]
    return _tabular(notes, heads, lines)


def _rank(view: View, group: str, own: pd.DataFrame, method: str) -> str:
    if method not in own.index or math.isnan(own.at[method, "rank"]):
        return "--"
    rank, best = float(own.at[method, "rank"]), float(own["rank"].min())
    if rank - best < EQUAL:
        return f"{rank:.2f}" if view.no_best(group) else rf"\textbf{{{rank:.2f}}}"
    tests = view.analysis.tests
    test = tests[tests["group"] == group]
    worse = len(test) and test["p"].iloc[0] < ALPHA and rank - best >= test["critical_difference"].iloc[0]
    return rf"{rank:.2f}$^\dagger$" if worse else f"{rank:.2f}"


def _pairs(view: View) -> str:
    """Pairs of methods of the widest group."""
    rows = view.pairs(view.widest)
    if rows.empty:
        return ""
    heads = ["first", "second", r"$\Delta$ rank", "wins/ties/losses", "$A_{12}$", "$p$ (Wilcoxon, Holm)"]
    heads += ["P(first)", "P(equal)", "P(second)"]
    lines = [
        [
            *(escaped(row.first), escaped(row.second), f"{row.difference:+.2f}"),
            *(f"{row.wins}/{row.ties}/{row.losses}", f"{row.a12:.2f}", _p(row.holm_p)),
            *(f"{value:.2f}" for value in (row.bayes_first, row.bayes_equal, row.bayes_second)),
        ]
        for row in rows.itertuples()
    ]
    notes = [
        f"Pairs of methods on {counted(int(rows['tasks'].iloc[0]), 'task')}; a dagger marks p < 0.05.",
        "A12: the chance that a run of the first beats one of the second.",
        "P: Bayesian signed-rank test, practically equal within 0.01 of the normalised score.",
    ]
    return _tabular(notes, heads, lines)


def _p(value: float) -> str:
    if math.isnan(value):
        return "--"
    shown = r"$<$0.001" if value < 0.001 else f"{value:.3f}"
    return rf"{shown}$^\dagger$" if value < ALPHA else shown


def _scores(view: View) -> str:
    """Final values by task: median and quartiles over seeds."""
    scores = view.analysis.scores
    tasks = view.tasks_with(scores["task"])
    if not tasks:
        return ""
    methods = view.ranked_in(scores)
    finals = _finals(scores)
    by_task = [{method: finals.get((task.name, method), np.empty(0)) for method in methods} for task in tasks]
    tested = _tested([_Medians.of(values) for values in by_task])
    lines = []
    for task, values, (medians, p) in zip(tasks, by_task, tested, strict=True):
        several = len(task.objectives) > 1
        if several:
            shown = {method: -own for method, own in values.items()}
        else:
            shown = {method: sign(objective_of(task, 0)) * own for method, own in values.items()}
        n = min(len(own) for own in values.values() if len(own))
        name = "hypervolume" if several else task.objectives[0]
        head = [escaped(task.name), escaped(name), str(n)]
        lines.append([*head, *_cells(medians, p, shown)])
    notes = [
        "Final values: median [quartiles] over the n seeds that count.",
        "Bold: the best median. Dagger: significantly worse than it (Mann-Whitney, Holm over the methods).",
    ]
    return _tabular(notes, ["task", "value", "$n$", *map(escaped, methods)], lines)


def _finals(scores: pd.DataFrame) -> Mapping[tuple[str, str], Floats]:
    """What the cells of each task and method ended with; infinite where they found nothing."""
    values = np.where(scores["found"], scores["value"], np.inf).astype(float)
    groups = scores.groupby(["task", "method"], sort=False).indices
    return {(str(task), str(method)): values[rows] for (task, method), rows in groups.items()}


@dataclass(frozen=True)
class _Medians:
    """The final values of a task's methods, those that have any, and which has the best median."""

    values: Mapping[str, Floats]
    medians: Mapping[str, float]
    best: str

    @classmethod
    def of(cls, values: Mapping[str, Floats]) -> _Medians:
        """Of the values by method, empty where a method has none."""
        medians = {method: float(np.median(own)) for method, own in values.items() if len(own)}
        return cls(values, medians, min(medians, key=medians.__getitem__))

    @property
    def others(self) -> list[str]:
        """The methods that are compared with the best."""
        return [method for method in self.medians if method != self.best]


def _cells(found: _Medians, p: Mapping[str, float], shown: Mapping[str, Floats]) -> Iterator[str]:
    """What stands in a task's line; ``p`` is corrected."""
    medians, best = found.medians, found.medians[found.best]
    for method in found.values:
        if method not in medians:
            yield "--"
            continue
        low, middle, high = np.sort(np.quantile(shown[method], (0.25, 0.5, 0.75), method="nearest"))
        text = f"{_number(middle)} [{_number(low)}, {_number(high)}]"
        if medians[method] == best and np.isfinite(best):
            text = rf"\textbf{{{text}}}"
        yield rf"{text}$^\dagger$" if p.get(method, 1.0) < ALPHA else text


def _tested(tasks: Sequence[_Medians]) -> Iterator[tuple[_Medians, Mapping[str, float]]]:
    """Each task with the p-values of its methods against the best one, corrected for their number."""
    pairs = [(one.values[other], one.values[one.best]) for one in tasks for other in one.others]
    p = iter(_rank_sums(pairs))
    for one in tasks:
        own = [next(p) for _ in one.others]
        yield one, dict(zip(one.others, holm(own), strict=True)) if own else {}


def _rank_sums(pairs: Sequence[tuple[Floats, Floats]]) -> list[float]:
    """p-values of the rank-sum test of each pair of samples; many thousands are tested at once."""
    p = [1.0] * len(pairs)
    together: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, (own, best) in enumerate(pairs):
        if (own != best[0]).any() or (best != best[0]).any():
            # Of several at once the exact test would be left out where any of them has ties.
            alone = () if min(len(own), len(best)) > MOST_EXACT else (place,)
            together[len(own), len(best), *alone].append(place)
    for places in together.values():
        first, second = (np.stack([pairs[place][side] for place in places]) for side in (0, 1))
        found = stats.mannwhitneyu(first, second, axis=1).pvalue
        for place, value in zip(places, found.tolist(), strict=True):
            p[place] = float(value)
    return p


def _number(value: float) -> str:
    return number(float(value)) if np.isfinite(value) else "--"


def _tabular(notes: Sequence[str], heads: Line, lines: Sequence[Line]) -> str:
    columns = "l" + "r" * (len(heads) - 1)
    body = "\n".join(" & ".join(line) + r" \\" for line in lines)
    comments = "\n".join(f"% {note}" for note in notes)
    return (
        f"{comments}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{' & '.join(heads)} \\\\\n\\midrule\n"
        f"{body}\n\\bottomrule\n\\end{{tabular}}\n"
    )
