"""One cell: one method on one task with one seed, in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.benchmark.records import CellKey, CellResult, Evaluation
from orchestrator.benchmark.simulation import Budget, Outcome, simulate
from orchestrator.benchmark.task import Task
from orchestrator.objective import MissingMetricError
from orchestrator.optimizers.base import Optimizer
from orchestrator.randomness import user_seed
from orchestrator.run.faults import of_the_machine
from orchestrator.search.trial_run import Repeats, reason_of, trial_seed
from orchestrator.trial import Suggestion, Trial, evaluated, failed
from search_spaces import Config
from workloads.contract import Device, Metrics
from workloads.devices import breaks_device


@dataclass(frozen=True)
class Setup:
    """How all cells of a study are computed.

    Args:
        workers: simulated workers.
        synchronous: whether they evaluate in batches.
        time_limit: in recorded seconds; without effect on tasks without recorded times.
        device: where the workload computes.
    """

    workers: int = 1
    synchronous: bool = False
    time_limit: float | None = None
    device: Device = field(default_factory=Device)


_ALONE = Setup()


def run_cell(
    task: Task,
    make: Callable[[], Optimizer],
    key: CellKey,
    digest: str,
    setup: Setup = _ALONE,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> CellResult:
    """Ask, evaluate and tell until the budget is spent, in virtual time (see :mod:`.simulation`).

    A cell also ends when the optimizer's next suggestion does not fit into the rest of the budget, when the
    optimizer has nothing left to suggest (then the cell says so), and at the time limit. An evaluation that
    raises or reports something unusable is a failed trial and costs what was asked for. If the optimizer
    raises, the cell has failed, with its evaluations so far. If the machine runs out of memory or disk space,
    the cell is lost.

    Args:
        task: with the budget.
        make: makes the optimizer, for the task and the cell's seed.
        key: which cell it is. Its seed also seeds what is trained, where that depends on a seed.
        digest: of all inputs of the cell; stored with the result.
        setup: workers, time limit and device.
        clock: measures how long the cell takes; nothing else depends on it.

    Raises:
        Exception: one that leaves the device unusable for other cells.
    """
    began = clock()
    evaluations: list[Evaluation] = []
    status: Literal["finished", "failed", "lost"]
    limit = setup.time_limit if task.facts.seconds is not None else None
    budget = Budget(task)
    try:
        optimizer = make()
        optimizer.plan(setup.workers)
        course = simulate(
            optimizer,
            Evaluator(task, key.seed, setup.device),
            budget,
            workers=setup.workers,
            synchronous=setup.synchronous,
            time_limit=limit,
        )
        for evaluation in course:
            evaluations.append(evaluation)
    except Exception as error:
        if breaks_device(error):
            raise
        lost = of_the_machine(error)
        status, reason = "lost" if lost else "failed", one_line(error)
        evaluations = [] if lost else evaluations
    else:
        status, reason = "finished", _cut_short(evaluations, task) if budget.exhausted else ""
    return CellResult(key, digest, tuple(evaluations), status, reason, clock() - began)


def _cut_short(evaluations: Sequence[Evaluation], task: Task) -> str:
    spent = sum(evaluation.cost for evaluation in evaluations)
    return f"the optimizer had nothing left to suggest after {spent:.6g} of {task.evaluations} evaluations"


class Evaluator:
    """Evaluates suggestions for a task; whatever goes wrong becomes a failed trial.

    An evaluation takes the time that the task records for it, or its cost if the task records none. A failed
    evaluation takes the recorded time if it reports one, and otherwise no time.

    Args:
        task: what is evaluated.
        seed: the cell's; a configuration is trained with a seed that depends on this and on itself alone.
        device: where it is trained.
    """

    def __init__(self, task: Task, seed: int, device: Device = _ALONE.device) -> None:
        self._workload, self._full, self._seed, self._device = task.workload, task.full, seed, device
        self._objectives, self._constraints = task.objectives, task.constraints
        self._repeats, self._same_seed = Repeats(), user_seed(seed)
        self._deterministic, self._time = task.facts.deterministic, task.facts.seconds

    def __call__(self, suggestion: Suggestion) -> Outcome:
        """The outcome of training ``suggestion`` from the start to its fidelity.

        Raises:
            Exception: the workload's own, if it leaves the device unusable or if the machine had no room.
        """
        fidelity = self._full if suggestion.fidelity is None else suggestion.fidelity
        cost = fidelity / self._full
        trial = self._trial(suggestion, fidelity)
        return Outcome(trial, cost, cost if self._time is None else trial.seconds)

    def _trial(self, suggestion: Suggestion, fidelity: int) -> Trial:
        goal = (self._objectives, self._constraints)
        reached = fidelity if self._full > 1 else None
        metrics: Metrics = {}
        seconds = 0.0
        try:
            metrics = self._metrics(suggestion.config, fidelity)
            seconds = self._seconds(metrics)
            return evaluated(suggestion, metrics, *goal, fidelity=reached, seconds=seconds)
        except Exception as error:
            if breaks_device(error) or of_the_machine(error):
                raise
            reason = one_line(error)
            return failed(suggestion, reason, *goal, fidelity=reached, metrics=metrics, seconds=seconds)

    def _metrics(self, config: Config, fidelity: int) -> Metrics:
        session = self._workload.start(config, self._training_seed(config, fidelity), self._device)
        metrics = session.advance(fidelity)
        return {name: float(value) for name, value in metrics.items()}

    def _training_seed(self, config: Config, fidelity: int) -> int:
        """A seed for each training. Deterministic tasks need none, and most cost less than making one."""
        if self._deterministic:
            return self._same_seed
        return trial_seed(self._seed, config, self._repeats.count(config, fidelity))

    def _seconds(self, metrics: Metrics) -> float:
        """The recorded time; 0 where a surrogate predicts less."""
        if self._time is None:
            return 0.0
        if self._time not in metrics:
            raise MissingMetricError(f"the workload did not report its recorded time {self._time!r}")
        seconds = metrics[self._time]
        if not math.isfinite(seconds):
            raise ValueError(f"not a finite number: {self._time} = {seconds}")
        return max(0.0, seconds)


def one_line(error: Exception) -> str:
    """Why something failed, on one line."""
    return " ".join(reason_of(error).split())
