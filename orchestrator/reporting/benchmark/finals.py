"""The table of what the methods had in the end on one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from orchestrator.benchmark.records import TaskRecord
from orchestrator.objective import in_own_direction
from orchestrator.reporting.benchmark.html_tables import Cell, figure, named, table
from orchestrator.reporting.benchmark.panels import objective_of
from orchestrator.reporting.benchmark.view import View


def finals(view: View, task: TaskRecord) -> str:
    """What the methods had in the end on one task, the best on top.

    Where a method has found nothing with some of its seeds, it has no mean over seeds.
    """
    several = len(task.objectives) > 1
    endings = sorted(_endings(view, task), key=lambda one: one.normalised)
    tested = _Tested.of(view, task)
    early = any(one.early for one in endings)
    name = "hypervolume" if several else _named_value(task)
    heads = ["method", f"{name}, mean", "standard deviation", "normalised (0 is best)", "seeds"]
    heads += [f"{tested.metric} (held-out), mean", "seeds tested"] if tested else []
    heads += ["ended early"] if early else []
    rows = []
    for one in endings:
        best = "best" if one.normalised == endings[0].normalised else ""
        rows.append(
            [
                named(view, one.method),
                figure(-one.value if several else _value(task, one.value)),
                figure(one.spread),
                figure(one.normalised, best),
                _seeds(one.known, one.seeds),
                *(tested.cells(one.method) if tested else ()),
                *([_early(one)] if early else []),
            ]
        )
    return table(heads, rows)


@dataclass(frozen=True)
class _Ending:
    """What a method had in the end on a task.

    Args:
        value, spread: mean and standard deviation over seeds; NaN unless all have found something.
        normalised: mean over seeds.
        known, seeds: how many have found something, and how many count.
        early: shares of the budget that cells had spent which ended with more than an evaluation left.
    """

    method: str
    value: float
    spread: float
    normalised: float
    known: int
    seeds: int
    early: tuple[float, ...]


def _endings(view: View, task: TaskRecord) -> Iterator[_Ending]:
    scores, means = view.of_task("scores", task.name), view.of_task("means", task.name)
    methods, spent = scores["method"], scores["spent"]
    early_ended = (spent < 1) & (spent <= 1 - 1 / task.evaluations)
    normalised = dict(zip(means["method"], means["normalised"], strict=True))
    for method in dict.fromkeys(methods):
        rows = methods == method
        own = scores["value"][rows]
        known = int((~np.isnan(own)).sum())
        whole = known == len(own)
        early = spent[rows & early_ended]
        yield _Ending(
            method,
            float(own.mean()) if whole else np.nan,
            float(own.std(ddof=1)) if whole and len(own) > 1 else np.nan,
            float(normalised[method]),
            known,
            len(own),
            tuple(early.tolist()),
        )


@dataclass(frozen=True)
class _Tested:
    """Held-out scores on a task: the metric, and by method its mean and how many seeds have one."""

    metric: str
    scores: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, view: View, task: TaskRecord) -> _Tested | None:
        """None where there are none."""
        rows = view.of_task("held_out", task.name)
        if not len(rows["task"]):
            return None
        scores = zip(rows["mean"].tolist(), rows["seeds"].tolist(), strict=True)
        return cls(str(rows["metric"][0]), dict(zip(rows["method"], scores, strict=True)))

    def cells(self, method: str) -> Iterator[Cell]:
        """What stands in a method's row."""
        for value in self.scores.get(method, (None, None)):
            yield Cell("–", "") if value is None else figure(float(value))


def _early(ending: _Ending) -> Cell:
    """How many cells ended with budget unspent, and how much of it they had spent."""
    if not ending.early:
        return Cell("–", "0")
    count = len(ending.early)
    return Cell(f"{count} after {np.mean(ending.early):.0%}", str(count))


def _seeds(known: int, every: int) -> Cell:
    return Cell(str(every) if known == every else f"{known} of {every}", str(known))


def _named_value(task: TaskRecord) -> str:
    return f"{task.objectives[0]}: gap to the optimum" if task.optimum is not None else task.objectives[0]


def _value(task: TaskRecord, loss: float) -> float:
    """The distance to the optimum where that is known, else the value in its own direction."""
    if task.optimum is not None:
        return loss - task.optimum
    return in_own_direction(loss, objective_of(task, 0))
