"""The cells that count, as arrays: their evaluations and the best result after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator import pareto
from orchestrator.analysis.counting import Counting
from orchestrator.analysis.evaluations import Evaluations
from orchestrator.benchmark.records import Results, TaskRecord

Array = NDArray[np.float64]
Axis = Literal["evaluations", "seconds"]

# Costs are sums of shares such as 1/3: a whole number of full evaluations may come out a little above it.
ROUNDING = 1e-9


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
        return self.finished and left >= 1 - ROUNDING * self.task.evaluations

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
        return _lowest(self.losses[:, 0])


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
        ended = np.searchsorted(spent, grid * (1 + ROUNDING), side="right")
        return np.concatenate([[self.course.nothing], self.incumbents])[ended]


def courses(results: Results, counting: Counting | None = None) -> list[Course]:
    """The cells that count (:mod:`.counting`), by the study's order of tasks and methods, then by seed.

    Args:
        counting: of the results, for those who have it at hand.
    """
    keys = set((counting or Counting.of(results)).keys)
    failed = results.cells[results.cells["status"] == "failed"]
    broken = set(zip(failed["task"], failed["method"], failed["seed"], strict=True))
    found = []
    every = Evaluations.of(results.evaluations)
    for name, rows in every.tasks():
        task = results.tasks[name]
        columns = every.counted(task, rows)
        for method, seed, own in every.cells(rows):
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
    """The courses, task by task, with incumbents and with the scale of all courses of their task.

    carps' protocol (Benjamins et al. 2025): losses are scaled by the smallest and the largest of all
    evaluations, of all methods and seeds; hypervolumes by those after any evaluation. We leave out what
    does not count (:class:`Course`).

    Args:
        references: by name of the task, for those with several objectives.
    """
    by_task: dict[str, list[Course]] = {}
    for course in courses:
        by_task.setdefault(course.task.name, []).append(course)
    runs = []
    for name, own in by_task.items():
        every = _incumbents(own, references.get(name))
        several = len(own[0].task.objectives) > 1
        seen = np.concatenate(every if several else [course.losses[:, 0] for course in own])
        scale = _scale(seen, any(course.found for course in own))
        runs += [Run(course, incumbents, scale) for course, incumbents in zip(own, every, strict=True)]
    return runs


def _incumbents(courses: Sequence[Course], reference: Sequence[float] | None) -> Sequence[Array]:
    """:meth:`Course.incumbents` of a task's courses; those of one loss and one length all at once."""
    alike = len({course.losses.shape for course in courses}) == 1
    if not alike or courses[0].losses.shape[1] > 1:
        return [course.incumbents(reference) for course in courses]
    return list(_lowest(np.array([course.losses[:, 0] for course in courses])))


def _lowest(losses: Array) -> Array:
    """The smallest so far along the last axis, infinite before the first; NaN is no loss."""
    return np.asarray(np.minimum.accumulate(np.where(np.isnan(losses), np.inf, losses), axis=-1))


def _scale(values: Array, found: bool) -> Scale:
    known = values[np.isfinite(values)]
    return Scale(float(known.min()), float(known.max())) if found else Scale(np.nan, np.nan)


def _empty(task: TaskRecord, method: str, seed: int, finished: bool) -> Course:
    nothing = np.empty(0)
    return Course(task, method, seed, nothing, nothing, np.empty((0, len(task.objectives))), finished)
