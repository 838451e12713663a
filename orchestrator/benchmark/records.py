"""What benchmark studies keep: cells, the evaluations in them, and what the study was about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from orchestrator.benchmark.task import Task, TaskType
from orchestrator.objective import sign
from orchestrator.trial import Trial
from workloads.contract import Metrics, Objective

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, order=True)
class CellKey:
    """One method on one task with one seed."""

    task: str
    method: str
    seed: int


@dataclass(frozen=True)
class Evaluation:
    """A trial of a cell, in the time of the cell.

    Args:
        trial: the configuration and its result.
        cost: its share of a full evaluation, 1 at full fidelity; a failed one costs what was asked for.
        start, end: when it ran, in recorded seconds from the cell's beginning. If the task has no recorded
            times, its cost is its duration, in full evaluations instead of seconds.
        worker: which of the simulated workers ran it, from 0.
        seconds: how long it took, by the clock.
        test: metrics of its model on held-out data, where it was the best so far; empty: not tested.
    """

    trial: Trial
    cost: float
    start: float
    end: float
    worker: int = 0
    seconds: float = field(default=0.0, compare=False, repr=False)
    test: Metrics = field(default_factory=dict)


@dataclass(frozen=True)
class CellResult:
    """A cell that has ended.

    Args:
        key: which cell.
        digest: of everything that the cell computes from; a cell with another digest is another cell.
        evaluations: in the order in which they ended.
        status: ``failed`` where the method itself raised; ``lost`` where the machine failed: the cell's
            process died each time, or there was no memory or disk space. The latter is not the method's
            fault: a study that is resumed computes the cell again.
        reason: why it failed or was lost, or why a finished one ended before its budget was spent.
        seconds: how long it took, by the clock.
        versions: what it was computed with (:func:`orchestrator.run.provenance.software`); empty: unknown.
        thinking: the part of ``seconds`` that the method took for itself, not for evaluations; None: unknown.
        test: metrics of the best model on held-out data; empty: none.
    """

    key: CellKey
    digest: str
    evaluations: tuple[Evaluation, ...]
    status: Literal["finished", "failed", "lost"] = "finished"
    reason: str = ""
    seconds: float = 0.0
    versions: str = ""
    thinking: float | None = field(default=None, compare=False)
    test: Metrics = field(default_factory=dict)


@dataclass(frozen=True)
class TaskRecord:
    """What the analysis must know about a task; all values are losses and are minimised.

    Args:
        name, suite, type: as of the task.
        dimension: number of parameters that are not constants.
        objectives: names, in the order of the losses.
        directions: ``min`` or ``max`` of each; a loss is the value, negated for ``max``.
        evaluations: the budget in full evaluations.
        full: the fidelity of a full evaluation.
        unit: of the fidelity.
        optimum: the smallest possible loss of the one objective; None: unknown.
        reference: the worst losses of interest; None where one of them is unknown.
        deterministic: whether a configuration has the same losses for every seed.
        timed: whether it has recorded run times; then start and end are seconds.
        definition: the suite's digest (:func:`.digest.definition_of`); None: unknown.
        anytime: whether evaluations at less than full fidelity count as results too.
        problem: what it is a variant of; tasks of one problem count as one. Empty: of itself alone.
    """

    name: str
    suite: str
    type: TaskType
    dimension: int
    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    evaluations: int
    full: int = 1
    unit: str = "call"
    optimum: float | None = None
    reference: tuple[float, ...] | None = None
    deterministic: bool = False
    timed: bool = False
    definition: str | None = None
    anytime: bool = False
    problem: str = ""

    @classmethod
    def of(cls, task: Task, definition: str | None = None) -> TaskRecord:
        """The record of a task."""
        facts, objectives = task.facts, task.objectives
        single = len(objectives) == 1
        optimum = sign(objectives[0]) * facts.optimum if single and facts.optimum is not None else None
        return cls(
            name=task.name,
            suite=task.suite,
            type=task.type,
            dimension=task.space.codec.dim,
            objectives=tuple(one.name for one in objectives),
            directions=tuple(one.direction for one in objectives),
            evaluations=task.evaluations,
            full=task.full,
            unit=task.workload.fidelity.unit,
            optimum=optimum,
            reference=_reference(objectives),
            deterministic=facts.deterministic,
            timed=facts.seconds is not None,
            definition=definition,
            anytime=task.anytime,
            problem=task.problem,
        )

    def is_same(self, other: TaskRecord) -> bool:
        """Whether both describe the same task, as far as is known; how it counts does not matter."""
        same = None in (self.definition, other.definition) or self.definition == other.definition
        return same and replace(self, definition=None, problem="") == replace(
            other, definition=None, problem=""
        )


@dataclass(frozen=True)
class LeftOut:
    """A pairing that is not in the study, because the method cannot serve the task."""

    task: str
    method: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The cells that a study will have of one method on one task.

    Args:
        seeds: one cell each.
        digest: of the cells; None: each may have its own, as in imported logs.
    """

    seeds: tuple[int, ...]
    digest: str | None = None


@dataclass(frozen=True)
class Results:
    """All that is stored of a benchmark study, or of several put together.

    Args:
        name: the study's name.
        tasks: by name, in the study's order.
        methods: names, in the study's order.
        seeds: of any cell.
        workers: simulated workers.
        left_out: pairings that the study does not have.
        plans: by task and method, for all others; there are no cells besides these.
        cells: one row per cell that has ended: task, method, seed, status (finished, failed or lost), reason,
            evaluations (how many), seconds (by the clock), versions (of the software, as text; empty where
            they are not known), thinking (seconds that the method took for itself; NaN where not known), test
            (held-out metrics of the best model as JSON text; empty where there are none); ordered by task,
            method, seed. Imported studies may lack versions, thinking and test.
        evaluations: one row per evaluation: task, method, seed, number (from 0, in the order of ending),
            asked (from 0, in the order of asking), worker, fidelity (in the task's unit), cost, spent (cost
            of all so far, in full evaluations), start, end, status (finished, stopped or failed), reason,
            losses (list, one per objective, NaN where failed), violations (list), config (JSON text); ordered
            by task, method, seed, number.
    """

    name: str
    tasks: Mapping[str, TaskRecord]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    workers: int
    left_out: tuple[LeftOut, ...]
    plans: Mapping[tuple[str, str], Plan] = field(repr=False)
    cells: pd.DataFrame = field(repr=False)
    evaluations: pd.DataFrame = field(repr=False)

    @property
    def complete(self) -> bool:
        """Whether every cell that is planned has ended, and none of them was lost."""
        return int((self.cells["status"] != "lost").sum()) >= sum(
            len(plan.seeds) for plan in self.plans.values()
        )


def _reference(objectives: tuple[Objective, ...]) -> tuple[float, ...] | None:
    values = [None if one.reference is None else sign(one) * one.reference for one in objectives]
    known = [value for value in values if value is not None]
    return tuple(known) if len(known) == len(values) and len(values) > 1 else None
