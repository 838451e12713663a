"""The runs on a task as matrices: a study may have hundreds of thousands of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.courses import ROUNDING, Array, Axis, Run, Scale
from orchestrator.benchmark.records import TaskRecord


@dataclass(frozen=True)
class Stack:
    """The runs on a task, method by method; r runs, n evaluations in the longest.

    Args:
        task: all runs' task.
        runs: at least one; those of a method stand together.
        rows: of each method among them.
    """

    task: TaskRecord
    runs: Sequence[Run] = field(repr=False)
    rows: Mapping[str, slice]

    @property
    def scale(self) -> Scale:
        """The task's scale."""
        return self.runs[0].scale

    @cached_property
    def spent(self) -> Array:
        """Full evaluations spent when each had ended, ``(r, n + 1)``; infinite after a run's last one."""
        spent = _padded([run.course.spent for run in self.runs], [np.inf] * len(self.runs))
        return np.column_stack([spent, np.full(len(self.runs), np.inf)])

    @cached_property
    def incumbents(self) -> Array:
        """The best before the first evaluation and after each, ``(r, n + 1)``; a run's last one stands."""
        before = np.array([run.course.nothing for run in self.runs])
        after = _padded([run.incumbents for run in self.runs], [run.final for run in self.runs])
        return np.column_stack([before, after])

    @property
    def finals(self) -> Array:
        """The last incumbents, shape ``(r,)``."""
        return self.incumbents[:, -1]

    @property
    def found(self) -> NDArray[np.bool_]:
        """Whether any evaluation of each counts, which the final value says for one objective."""
        if len(self.task.objectives) == 1:
            return np.isfinite(self.finals)
        return np.array([run.course.found for run in self.runs])

    @cached_property
    def horizon(self) -> float | None:
        """The longest recorded time of any run; None where there is none."""
        timed = self.runs if self.task.timed else ()
        return max((float(run.course.end[-1]) for run in timed if run.course.n), default=None)

    def at(self, axis: Axis, grid: Array) -> Array:
        """What each run had after ``grid`` (:meth:`.Run.at`), shape ``(r, len(grid))``."""
        times = [run.course.spent if axis == "evaluations" else run.course.end for run in self.runs]
        if any(len(one) != len(times[0]) for one in times) or not (np.array(times) == times[0]).all():
            return np.stack([run.at(axis, grid) for run in self.runs])
        # Nearly all runs have evaluations of the same costs.
        ended = np.searchsorted(times[0], grid * (1 + ROUNDING), side="right")
        return np.asarray(np.take(self.incumbents, ended, axis=1))

    def cubes(self, values: Array) -> Iterator[tuple[Sequence[str], Array]]:
        """Values of the runs, ``(r, …)``, as ``(methods, seeds, …)`` of methods with equally many seeds."""
        counts = {rows.stop - rows.start for rows in self.rows.values()}
        if len(counts) == 1:
            yield list(self.rows), values.reshape(len(self.rows), *counts, *values.shape[1:])
        else:
            for method, rows in self.rows.items():
                yield [method], values[rows][None]


Stacks = Mapping[str, Stack]
"""By task, in the study's order."""


def stacks(runs: Sequence[Run]) -> Stacks:
    """All runs, which stand together by task and by method."""
    by_task: dict[str, list[Run]] = {}
    for run in runs:
        by_task.setdefault(run.course.task.name, []).append(run)
    return {name: Stack(own[0].course.task, own, _rows(own)) for name, own in by_task.items()}


def _rows(runs: Sequence[Run]) -> dict[str, slice]:
    methods = [run.course.method for run in runs]
    starts = [place for place, method in enumerate(methods) if not place or methods[place - 1] != method]
    return {
        methods[start]: slice(start, end) for start, end in zip(starts, [*starts[1:], len(runs)], strict=True)
    }


def _padded(rows: Sequence[Array], last: Sequence[float]) -> Array:
    """Rows of one length; shorter ones go on with their ``last``."""
    longest = max(map(len, rows))
    if any(len(row) != longest for row in rows):
        pairs = zip(rows, last, strict=True)
        rows = [np.append(row, np.full(longest - len(row), value)) for row, value in pairs]
    return np.array(rows, dtype=float).reshape(len(rows), longest)
