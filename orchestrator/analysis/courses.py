"""The cells that count, as arrays: their evaluations and the best result after each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator import pareto
from orchestrator.analysis.counting import Counting
from orchestrator.benchmark.records import Results, TaskRecord

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Axis = Literal["evaluations", "seconds"]

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
    for name, table in results.evaluations.groupby("task", sort=False):
        task = results.tasks[str(name)]
        columns = _columns(task, table)
        for method, seed, rows in _cells(table):
            key = (str(name), method, seed)
            if key in keys:
                keys.remove(key)
                spent, end, losses = (column[rows] for column in columns)
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


def _columns(task: TaskRecord, table: pd.DataFrame) -> tuple[Array, Array, Array]:
    """Spent, end and losses (NaN where the evaluation does not count) of a task's evaluations."""
    losses = _matrix(table["losses"], len(task.objectives))
    fidelity = table["fidelity"].to_numpy(dtype=float, na_value=np.nan)
    # An unknown fidelity is that of a workload with one.
    partial = (fidelity < task.full) & (not task.anytime)
    failed = (table["status"] == "failed").to_numpy()
    counts = pareto.feasible(losses, _matrix(table["violations"])) & ~failed & ~partial
    spent, end = (table[name].to_numpy(dtype=float) for name in ("spent", "end"))
    return spent, end, np.where(counts[:, None], losses, np.nan)


def _cells(table: pd.DataFrame) -> Iterator[tuple[str, int, slice]]:
    """Method, seed and rows of the cells of a task, whose evaluations stand together."""
    methods, seeds = table["method"].to_numpy(dtype=object), table["seed"].to_numpy()
    changes = np.flatnonzero((methods[1:] != methods[:-1]) | (seeds[1:] != seeds[:-1])) + 1
    starts = [0, *changes.tolist()]
    for start, end in zip(starts, [*starts[1:], len(table)], strict=True):
        yield str(methods[start]), int(seeds[start]), slice(start, end)


def _matrix(column: Any, width: int = -1) -> Array:
    """Lists of one length as rows; ``width`` is that length where there may be no row."""
    rows = column.tolist()
    if not rows:
        return np.empty((0, max(width, 0)))
    return np.asarray(np.concatenate(rows), dtype=float).reshape(len(rows), -1 if len(rows[0]) else 0)


def _empty(task: TaskRecord, method: str, seed: int, finished: bool) -> Course:
    nothing = np.empty(0)
    return Course(task, method, seed, nothing, nothing, np.empty((0, len(task.objectives))), finished)
