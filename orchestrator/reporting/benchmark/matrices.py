"""Tables that are drawn in colours: scores of methods on tasks, and methods against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.reporting.benchmark.critical import ALPHA
from orchestrator.reporting.benchmark.view import GROUPS, View, group_name
from orchestrator.reporting.scales import Floats

if TYPE_CHECKING:
    import pandas as pd

BETTER, NO_DIFFERENCE, WORSE = "#0072b2", "#ececec", "#d55e00"
"""How the method of a row does against that of a column."""


@dataclass(frozen=True)
class Scores:
    """Normalised scores, 0 is best; NaN where a method has none.

    Args:
        tasks: names of the rows, by type.
        types: of the tasks.
        methods: names of the columns, the best mean rank first.
        values: shape ``(tasks, methods)``.
    """

    tasks: tuple[str, ...]
    types: tuple[str, ...]
    methods: tuple[str, ...]
    values: Floats

    @property
    def labels(self) -> list[str]:
        """The tasks with their types."""
        return [f"{task}  {kind}" for task, kind in zip(self.tasks, self.types, strict=True)]

    @property
    def decades(self) -> int:
        """How many decades the colours span, down from 1; scores below share a colour."""
        positive = self.values[self.values > 0]
        least = np.percentile(positive, 10) if positive.size else 1.0
        return int(np.clip(np.ceil(-np.log10(least)), 2, 6))

    @property
    def shades(self) -> Floats:
        """What the colours show: decimal logarithms."""
        return np.log10(np.maximum(self.values, 10.0**-self.decades))

    @property
    def ticks(self) -> tuple[list[int], list[str]]:
        """Where along the colours which scores are written."""
        places = list(range(-self.decades, 1))
        texts = [f"{10.0**place:g}" for place in places]
        return places, [f"≤ {texts[0]}", *texts[1:]]


@dataclass(frozen=True)
class Pairs:
    """Methods against each other.

    Args:
        group: of tasks.
        title: what is compared.
        methods: of rows and columns, best mean rank first.
        p: Holm-corrected p-values, symmetric; NaN on the diagonal and where there is no test.
        verdicts: 1 where the row's method is significantly better, -1 where worse, else 0; NaN as ``p``. By
            the test's own direction, which need not be that of the mean ranks.
        differences: of mean ranks, row minus column.
    """

    group: str
    title: str
    methods: tuple[str, ...]
    p: Floats
    verdicts: Floats
    differences: Floats


def scores(view: View) -> Scores:
    """Mean normalised scores over seeds."""
    means = view.analysis.means
    tasks = sorted(view.tasks_with(means["task"]), key=lambda task: list(GROUPS).index(task.type))
    known = set(means["method"])
    ranked = [method for method in view.ranked(view.widest) if method in known]
    table = means.pivot(index="task", columns="method", values="normalised")
    table = table.reindex(index=[task.name for task in tasks], columns=ranked)
    types = tuple(task.type for task in tasks)
    return Scores(tuple(table.index), types, tuple(ranked), table.to_numpy(float))


def pairs(view: View) -> list[Pairs]:
    """One matrix per group of which methods were compared in pairs."""
    table = view.analysis.pairs
    found = []
    for group in view.groups:
        rows = table[table["group"] == group]
        if rows["holm_p"].notna().any():
            methods = tuple(m for m in view.ranked(group) if m in set(rows["first"]) | set(rows["second"]))
            found.append(_pairs(group, methods, rows))
    return found


def _pairs(group: str, methods: tuple[str, ...], rows: pd.DataFrame) -> Pairs:
    places = {method: place for place, method in enumerate(methods)}
    p = np.full((len(methods), len(methods)), np.nan)
    differences, signs = p.copy(), p.copy()
    for row in rows.itertuples():
        i, j = places[row.first], places[row.second]
        p[i, j] = p[j, i] = row.holm_p
        differences[i, j], differences[j, i] = row.difference, -row.difference
        signs[i, j], signs[j, i] = row.wilcoxon_sign, -row.wilcoxon_sign
    verdicts = np.where(np.isnan(p), np.nan, np.where(p < ALPHA, -signs, 0.0))
    return Pairs(group, group_name(group), methods, p, verdicts, differences)


def score(value: float) -> str:
    """A score in few characters."""
    if np.isnan(value):
        return "–"
    return f"{value:.2f}" if value >= 0.095 or value == 0 else f"{value:.1g}"


def p_value(value: float) -> str:
    """A p-value in few characters."""
    if np.isnan(value):
        return "–"
    return "<.001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1) if value < 0.9995 else "1"
