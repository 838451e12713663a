"""The cells that count, as arrays: their evaluations and the best result after each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator import pareto
from orchestrator.analysis.counting import Counting
from orchestrator.benchmark.records import Results, TaskRecord

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Axis = Literal["evaluations", "seconds"]
Rows = slice | NDArray[np.int64]

# Costs are sums of shares such as 1/3: a whole number of full evaluations may come out a little above it.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Course:
    """The evaluations of a cell, in the order of ending; n evaluations, m objectives.

    Args:
        task, method, seed: the cell.
        spent: full evaluations spent when each had ended, shape ``(n,)``, never decreasing.
        end: recorded seconds (full evaluations, where the task is not timed) at which each ended, ``(n,)``.
        losses: shape ``(n, m)``; NaN in the rows of evaluations that do not count: failed ones, infeasible
            ones, and those at less than full fidelity.
        finished: whether the cell finished; a failed one has its evaluations so far.
    """

    task: TaskRecord
    method: str
    seed: int
    spent: Array = field(repr=False)
    end: Array = field(repr=False)
    losses: Array = field(repr=False)
    finished: bool = True

    @property
    def n(self) -> int:
        """The number of evaluations."""
        return len(self.spent)

    @property
    def share(self) -> float:
        """The share of the budget that was spent."""
        return float(self.spent[-1]) / self.task.evaluations if self.n else 0.0

    @property
    def unspent(self) -> bool:
        """Whether the cell finished although another full evaluation would have fitted into its budget."""
        left = self.task.evaluations * (1 - self.share)
        return self.finished and left >= 1 - _ROUNDING * self.task.evaluations

    @cached_property
    def found(self) -> bool:
        """Whether any evaluation counts."""
        return bool(np.isfinite(self.losses).all(axis=1).any())

    @property
    def nothing(self) -> float:
        """The incumbent before the first evaluation that counts."""
        return 0.0 if self.losses.shape[1] > 1 else np.inf

    def incumbents(self, reference: Sequence[float] | None) -> Array:
        """The quantity to minimise after each evaluation; shape ``(n,)``, never increasing.

        With one objective the smallest loss so far, infinite before the first that counts. With several the
        negated hypervolume within ``reference``, zero before the first evaluation that counts, and zero if
        there is no reference because no cell found anything.
        """
        if self.losses.shape[1] > 1:
            volumes = pareto.hypervolume_over_time(self.losses, reference) if reference else np.zeros(self.n)
            return 0.0 - volumes  # unlike -volumes, this has no negative zeros
        losses = self.losses[:, 0]
        return np.asarray(np.minimum.accumulate(np.where(np.isnan(losses), np.inf, losses)))


@dataclass(frozen=True)
class Scale:
    """Min–max normalisation of a task: 0 is the best of all logs, 1 the worst.

    Args:
        best, worst: NaN if no log has a result.
    """

    best: float
    worst: float

    def __call__(self, values: Array) -> Array:
        """``values`` scaled to [0, 1], 0 the best; missing results (infinite) count as the worst."""
        return normalised(values, self.best, self.worst)


def normalised(values: Array, best: Array | float, worst: Array | float) -> Array:
    """:class:`Scale` of many scales at once; all broadcast."""
    extent = np.subtract(worst, best)
    scaled = (values - best) / np.where(extent > 0, extent, 1.0)
    return np.asarray(np.where(np.isfinite(scaled), np.clip(scaled, 0.0, 1.0), 1.0))


@dataclass(frozen=True)
class Run:
    """A course with its incumbents (:meth:`Course.incumbents`) and its task's scale."""

    course: Course
    incumbents: Array = field(repr=False)
    scale: Scale

    @property
    def key(self) -> tuple[str, str, int]:
        """Task, method and seed."""
        return self.course.task.name, self.course.method, self.course.seed

    @property
    def final(self) -> float:
        """The last incumbent."""
        return float(self.incumbents[-1]) if self.course.n else self.course.nothing

    def at(self, axis: Axis, grid: Array) -> Array:
        """The incumbents after ``grid`` full evaluations or seconds; same shape.

        After the cell's end its last incumbent stands.
        """
        spent = self.course.spent if axis == "evaluations" else self.course.end
        ended = np.searchsorted(spent, grid * (1 + _ROUNDING), side="right")
        return np.concatenate([[self.course.nothing], self.incumbents])[ended]


def at_all(runs: Sequence[Run], axis: Axis, grid: Array) -> Array:
    """What each of the runs had after ``grid`` (:meth:`Run.at`), shape ``(runs, len(grid))``.

    Many thousands of runs have evaluations of the same costs, and are looked up together.
    """
    spent = [run.course.spent if axis == "evaluations" else run.course.end for run in runs]
    if any(len(one) != len(spent[0]) for one in spent) or not (np.stack(spent) == spent[0]).all():
        return np.stack([run.at(axis, grid) for run in runs])
    ended = np.searchsorted(spent[0], grid * (1 + _ROUNDING), side="right")
    before = np.array([[run.course.nothing] for run in runs])
    every = np.concatenate([before, np.stack([run.incumbents for run in runs])], axis=1)
    return np.asarray(np.take(every, ended, axis=1))


def courses(results: Results) -> list[Course]:
    """The cells that count (:mod:`.counting`), by the study's order of tasks and methods, then by seed."""
    keys = set(Counting.of(results).keys)
    failed = results.cells[results.cells["status"] == "failed"]
    broken = set(zip(failed["task"], failed["method"], failed["seed"], strict=True))
    found = []
    every = _Evaluations.of(results.evaluations)
    for name, rows in _by_task(results.evaluations):
        task = results.tasks[name]
        columns = every.counted(task, rows)
        for method, seed, own in _cells(every.method[rows], every.seed[rows]):
            key = (name, method, seed)
            if key in keys:
                keys.remove(key)
                spent, end, losses = (column[own] for column in columns)
                found.append(Course(task, method, seed, spent, end, losses, key not in broken))
    # Cells without evaluations: a time limit or a failure may end one before its first.
    found += [
        _empty(results.tasks[name], method, seed, (name, method, seed) not in broken)
        for name, method, seed in keys
    ]
    tasks = {name: place for place, name in enumerate(results.tasks)}
    methods = {name: place for place, name in enumerate(results.methods)}
    return sorted(found, key=lambda one: (tasks[one.task.name], methods[one.method], one.seed))


def measured(courses: Sequence[Course], references: Mapping[str, Sequence[float]]) -> list[Run]:
    """The courses with incumbents, and with the scale of all courses of their task.

    carps' protocol (Benjamins et al. 2025): losses are scaled by the smallest and the largest of all
    evaluations, of all methods and seeds; hypervolumes by those after any evaluation. We leave out what
    does not count (:class:`Course`).

    Args:
        references: by name of the task, for those with several objectives.
    """
    every = [course.incumbents(references.get(course.task.name)) for course in courses]
    seen: dict[str, list[Array]] = {}
    for course, incumbents in zip(courses, every, strict=True):
        several = len(course.task.objectives) > 1
        seen.setdefault(course.task.name, []).append(incumbents if several else course.losses[:, 0])
    found: set[str] = set()
    for course in courses:
        if course.task.name not in found and course.found:
            found.add(course.task.name)
    scales = {name: _scale(np.concatenate(values), name in found) for name, values in seen.items()}
    return [
        Run(course, incumbents, scales[course.task.name])
        for course, incumbents in zip(courses, every, strict=True)
    ]


def _scale(values: Array, found: bool) -> Scale:
    known = values[np.isfinite(values)]
    return Scale(float(known.min()), float(known.max())) if found else Scale(np.nan, np.nan)


@dataclass(frozen=True)
class _Evaluations:
    """All evaluations by column: a frame for each of thousands of tasks would take long."""

    method: NDArray[np.object_]
    seed: NDArray[np.int64]
    spent: Array
    end: Array
    fidelity: Array
    failed: NDArray[np.bool_]
    losses: NDArray[np.object_]
    violations: NDArray[np.object_]

    @classmethod
    def of(cls, table: pd.DataFrame) -> _Evaluations:
        """The columns of a table."""
        return cls(
            method=table["method"].to_numpy(dtype=object),
            seed=table["seed"].to_numpy(),
            spent=table["spent"].to_numpy(dtype=float),
            end=table["end"].to_numpy(dtype=float),
            fidelity=table["fidelity"].to_numpy(dtype=float, na_value=np.nan),
            failed=(table["status"] == "failed").to_numpy(),
            losses=table["losses"].to_numpy(dtype=object),
            violations=table["violations"].to_numpy(dtype=object),
        )

    def counted(self, task: TaskRecord, rows: Rows) -> tuple[Array, Array, Array]:
        """Spent, end and losses (NaN where the evaluation does not count) of a task's evaluations."""
        losses = _matrix(self.losses[rows], len(task.objectives))
        # An unknown fidelity is that of a workload with one.
        partial = (self.fidelity[rows] < task.full) & (not task.anytime)
        feasible = pareto.feasible(losses, _matrix(self.violations[rows]))
        counts = feasible & ~self.failed[rows] & ~partial
        return self.spent[rows], self.end[rows], np.where(counts[:, None], losses, np.nan)


def _by_task(table: pd.DataFrame) -> Iterator[tuple[str, Rows]]:
    """The rows of each task; a slice where they follow one another, since that copies nothing."""
    for name, rows in table.groupby("task", sort=False).indices.items():
        first, last = int(rows[0]), int(rows[-1])
        yield str(name), slice(first, last + 1) if last - first + 1 == len(rows) else rows


def _cells(methods: NDArray[np.object_], seeds: NDArray[np.int64]) -> Iterator[tuple[str, int, slice]]:
    """Method, seed and rows of the cells of a task, whose evaluations stand together."""
    changes = np.flatnonzero((methods[1:] != methods[:-1]) | (seeds[1:] != seeds[:-1])) + 1
    starts = [0, *changes.tolist()]
    for start, end in zip(starts, [*starts[1:], len(methods)], strict=True):
        yield str(methods[start]), int(seeds[start]), slice(start, end)


def _matrix(column: NDArray[np.object_], width: int = -1) -> Array:
    """Lists of one length as rows; ``width`` is that length where there may be no row."""
    rows = column.tolist()
    if not rows:
        return np.empty((0, max(width, 0)))
    if not any(map(len, rows)):
        return np.empty((len(rows), 0))
    return np.asarray(np.concatenate(rows), dtype=float).reshape(len(rows), -1)


def _empty(task: TaskRecord, method: str, seed: int, finished: bool) -> Course:
    nothing = np.empty(0)
    return Course(task, method, seed, nothing, nothing, np.empty((0, len(task.objectives))), finished)
