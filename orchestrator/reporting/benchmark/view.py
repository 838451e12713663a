"""A benchmark study as its pictures need it: results, their analysis, and how methods look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orchestrator.analysis.analysis import Analysis
from orchestrator.analysis.groups import BEST
from orchestrator.benchmark.records import Results, TaskRecord
from orchestrator.reporting.benchmark.looks import Look, looks

ALL_TASKS = "all"
MOST_BANDS = 8
"""With more methods, bands would hide one another."""

GROUPS = {
    "BB": "black-box",
    "MF": "multi-fidelity",
    "MO": "multi-objective",
    "MOMF": "multi-objective multi-fidelity",
    ALL_TASKS: "all",
}
"""Groups of tasks, in words."""


Columns = Mapping[str, NDArray[Any]]
"""Some rows of a table, by the names of its columns."""


@dataclass(frozen=True)
class View:
    """All that a report is drawn from.

    Args:
        results: what is stored.
        analysis: what it says.
        looks: by method, in the study's order.
    """

    results: Results
    analysis: Analysis
    looks: Mapping[str, Look]

    @classmethod
    def of(cls, results: Results, analysis: Analysis) -> View:
        """The view of a study."""
        return cls(results, analysis, looks(results.methods))

    def of_task(self, table: str, task: str) -> Columns:
        """The rows of one of the analysis' tables that are about a task.

        As arrays: a frame for each of thousands of tasks would take long.
        """
        if table not in self._places:
            whole: pd.DataFrame = getattr(self.analysis, table)
            columns = {str(name): _array(whole[name]) for name in whole.columns}
            self._places[table] = (columns, _rows_by_task(whole))
        found, places = self._places[table]
        rows = places.get(task, slice(0, 0))
        return {name: column[rows] for name, column in found.items()}

    @cached_property
    def _places(self) -> dict[str, tuple[Columns, Mapping[str, Any]]]:
        """Tables and their rows by task: looking through all rows for every task would take minutes."""
        return {}

    @property
    def title(self) -> str:
        """The study in one line."""
        results = self.results
        parts = [
            counted(len(results.methods), "method"),
            counted(len(results.tasks), "task"),
            counted(len(results.seeds), "seed"),
        ]
        if results.workers > 1:
            parts.append(f"{results.workers} simulated workers")
        return f"{results.name}: {', '.join(parts)}"

    def banded(self, text: str) -> str:
        """``text`` if bands are drawn, else nothing."""
        return text if len(self.looks) <= MOST_BANDS else ""

    @property
    def groups(self) -> tuple[str, ...]:
        """Those with ranks, in the study's order; "all" only where it says more than the one other."""
        ranks = self.analysis.ranks.set_index("group")
        found = tuple(ranks.index.unique())
        if len(found) == 2 and found[1] == ALL_TASKS:
            one, every = (ranks.loc[[group]].reset_index(drop=True) for group in found)
            return found[:1] if one.equals(every) else found
        return found

    @property
    def ranks_by_group(self) -> dict[str, pd.DataFrame]:
        """The rows of :attr:`groups` in the table of ranks, each with its methods as index."""
        ranks = self.analysis.ranks
        return {group: ranks[ranks["group"] == group].set_index("method") for group in self.groups}

    @property
    def widest(self) -> str:
        """The group of all tasks, or the last group with ranks if that one has none."""
        return self.groups[-1] if self.groups else ALL_TASKS

    def tasks_with(self, tasks: Iterable[str]) -> tuple[TaskRecord, ...]:
        """The records of tasks that a table has rows of, in the study's order."""
        names = set(tasks)
        return tuple(task for task in self.results.tasks.values() if task.name in names)

    def no_best(self, group: str) -> str:
        """Why no method of a group is called the best; empty where one is."""
        omitted = self.analysis.omitted
        rows = omitted[(omitted["group"] == group) & (omitted["what"] == BEST)]
        return str(rows.iloc[0]["reason"]) if len(rows) else ""

    def ranked(self, group: str) -> list[str]:
        """The methods of a group, best mean rank first; then those without a rank."""
        ranks = self.analysis.ranks
        rows = ranks[ranks["group"] == group].sort_values("rank", kind="stable")
        first = list(rows["method"])
        return first + [method for method in self.results.methods if method not in first]

    def ranked_in(self, table: pd.DataFrame) -> list[str]:
        """The methods that a table has rows of, in the order of the widest group."""
        known = set(table["method"])
        return [method for method in self.ranked(self.widest) if method in known]

    def pairs(self, group: str) -> pd.DataFrame:
        """The analysis's pairs of a group, ordered by mean rank; the better of two methods stands first."""
        table = self.analysis.pairs
        rows = table[table["group"] == group]
        place = {method: number for number, method in enumerate(self.ranked(group))}
        turned = rows["first"].map(place) > rows["second"].map(place)
        pairs = pd.concat([rows[~turned], _turned(rows[turned])])
        order = pairs[["first", "second"]].map(place.__getitem__).sort_values(["first", "second"])
        return pairs.loc[order.index]


def _turned(pairs: pd.DataFrame) -> pd.DataFrame:
    """The same comparisons, from the second method's side."""
    opposite = pairs.assign(difference=-pairs["difference"], a12=1 - pairs["a12"])
    for one, other in (("first", "second"), ("wins", "losses"), ("bayes_first", "bayes_second")):
        opposite[[one, other]] = pairs[[other, one]].to_numpy()
    return opposite


def _array(column: pd.Series) -> NDArray[Any]:
    return np.asarray(column, dtype=object if column.dtype == "str" else None)


def _rows_by_task(table: pd.DataFrame) -> Mapping[str, Any]:
    """Row numbers by task; a slice where they follow one another, since that copies nothing."""
    found = {}
    for task, rows in table.groupby("task", sort=False).indices.items():
        first, last = int(rows[0]), int(rows[-1])
        found[str(task)] = slice(first, last + 1) if last - first + 1 == len(rows) else rows
    return found


def counted(count: int, noun: str) -> str:
    """A count with its noun, which takes an s for its plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def sample(ranks: pd.DataFrame) -> str:
    """How many tasks and seeds a group's ranks come from."""
    return f"{counted(int(ranks['tasks'].max()), 'task')}, {counted(int(ranks['seeds'].min()), 'seed')}"


def group_name(group: str) -> str:
    """A group of tasks in words, e.g. "black-box tasks"."""
    return f"{GROUPS.get(group, group)} tasks"


def p_value(value: float) -> str:
    """A p-value in few characters."""
    if np.isnan(value):
        return "–"
    return "<.001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1) if value < 0.9995 else "1"
