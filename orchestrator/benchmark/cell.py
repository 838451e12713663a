"""One cell: one method on one task with one seed, in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Literal

from orchestrator.benchmark.records import CellKey, CellResult, Evaluation
from orchestrator.benchmark.simulation import Budget, Outcome, simulate
from orchestrator.benchmark.task import Task
from orchestrator.objective import MissingMetricError
from orchestrator.optimizers.base import Optimizer
from orchestrator.randomness import user_seed
from orchestrator.run.faults import of_the_machine
from orchestrator.search.trials.trial_run import Repeats, reason_of, trial_seed
from orchestrator.trial import Suggestion, Trial, evaluated, failed
from search_spaces import Config
from workloads.capabilities import TestableSession
from workloads.contract import Device, Metrics, Session
from workloads.devices import breaks_device
from workloads.outcomes import RAISED_ANYWHERE, numbers


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


Course = Generator[Evaluation, None, str]
"""A cell's evaluations in the order in which they end; returns why it ended before its budget was spent.

Where models are tested, the last evaluation with a test is the best.
"""


def run_cell(
    begin: Callable[[], Course],
    key: CellKey,
    digest: str,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> CellResult:
    """Take a method's course to its end.

    A method that raises makes a failed cell, with the evaluations so far. Where the machine has no room
    (memory, disk), the cell is lost.

    Args:
        begin: makes the method, for the task and the cell's seed.
        key: which cell it is.
        digest: of everything that the cell computes from; kept with the result.
        clock: measures how long the cell takes; nothing else depends on it.

    Raises:
        Exception: one that leaves the device unusable for other cells.
    """
    began = clock()
    evaluations: list[Evaluation] = []
    status: Literal["finished", "failed", "lost"] = "finished"
    reason = ""
    try:
        course = begin()
        while True:
            evaluations.append(next(course))
    except StopIteration as end:
        reason = end.value
    except Exception as error:
        if breaks_device(error):
            raise
        lost = of_the_machine(error)
        status, reason = "lost" if lost else "failed", one_line(error)
        evaluations = [] if lost else evaluations
    seconds = clock() - began
    thinking = max(0.0, seconds - sum(one.seconds for one in evaluations))
    test = next((one.test for one in reversed(evaluations) if one.test), {})
    return CellResult(key, digest, tuple(evaluations), status, reason, seconds, thinking=thinking, test=test)


def optimizer_course(task: Task, make: Callable[[], Optimizer], seed: int, setup: Setup = _ALONE) -> Course:
    """Ask, evaluate and tell until the budget is spent, in virtual time (see :mod:`.simulation`).

    It also ends where the optimizer's next suggestion does not fit into what is left of the budget, where it
    has nothing left to suggest (then it says so), and at the time limit. An evaluation that raises or reports
    something unusable is a failed trial, which costs what was asked for.

    Args:
        task: with the budget.
        make: makes the optimizer.
        seed: the cell's; what is trained depends on it where that depends on a seed.
        setup: workers, time limit and device.
    """
    budget, spent, tested = Budget(task), 0.0, math.inf
    optimizer = make()
    optimizer.plan(setup.workers)
    course = simulate(
        optimizer,
        Evaluator(task, seed, setup.device),
        budget,
        workers=setup.workers,
        synchronous=setup.synchronous,
        time_limit=setup.time_limit if task.facts.seconds is not None else None,
    )
    for evaluation in course:
        spent += evaluation.cost
        if evaluation.test:
            # Simulated workers may end in another order than they began.
            better = evaluation.trial.losses[0] < tested
            tested = min(tested, evaluation.trial.losses[0])
            evaluation = evaluation if better else replace(evaluation, test={})  # noqa: PLW2901
        yield evaluation
    if not budget.exhausted:
        return ""
    return f"the optimizer had nothing left to suggest after {spent:.6g} of {task.evaluations} evaluations"


class Evaluator:
    """Evaluates suggestions for a task; whatever goes wrong becomes a failed trial.

    An evaluation takes the time that the task records for it, or its cost if the task records none. A failed
    evaluation takes the recorded time if it reports one, and otherwise no time.

    On a noisy task with one objective, models that are the best so far are tested on held-out data, where the
    workload keeps some: the best of noisy results looks better than it is.

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
        self._anytime, self._best = task.anytime, math.inf
        self._tests = len(task.objectives) == 1 and not self._deterministic

    def __call__(self, suggestion: Suggestion) -> Outcome:
        """The outcome of training ``suggestion`` from the start to its fidelity.

        Raises:
            Exception: the workload's own, if it leaves the device unusable or if the machine had no room.
        """
        fidelity = self._full if suggestion.fidelity is None else suggestion.fidelity
        cost = fidelity / self._full
        began = time.perf_counter()
        trial, session = self._trial(suggestion, fidelity)
        test = self._test(session) if self._is_best(trial, fidelity) else {}
        took = time.perf_counter() - began
        return Outcome(trial, cost, cost if self._time is None else trial.seconds, took, test)

    def _is_best(self, trial: Trial, fidelity: int) -> bool:
        """Whether a model is to be tested: the best so far of those that count."""
        counts = fidelity == self._full or self._anytime
        if not (self._tests and counts and trial.feasible and trial.losses[0] < self._best):
            return False
        self._best = trial.losses[0]
        return True

    def _test(self, session: object) -> Metrics:
        """Metrics on held-out data; none where the workload keeps none or testing fails."""
        if not isinstance(session, TestableSession):
            return {}
        try:
            return numbers(session.test())
        except RAISED_ANYWHERE as error:
            if breaks_device(error) or of_the_machine(error):
                raise
            return {}

    def _trial(self, suggestion: Suggestion, fidelity: int) -> tuple[Trial, Session | None]:
        goal = (self._objectives, self._constraints)
        reached = fidelity if self._full > 1 else None
        metrics: Metrics = {}
        seconds = 0.0
        session = None
        try:
            config = suggestion.config
            meant, seed = self._workload.space.meant(config), self._training_seed(config, fidelity)
            session = self._workload.start(meant, seed, self._device)
            metrics = numbers(session.advance(fidelity))
            seconds = self._seconds(metrics)
            return evaluated(suggestion, metrics, *goal, fidelity=reached, seconds=seconds), session
        except RAISED_ANYWHERE as error:
            if breaks_device(error) or of_the_machine(error):
                raise
            reason = one_line(error)
            trial = failed(suggestion, reason, *goal, fidelity=reached, metrics=metrics, seconds=seconds)
            return trial, session

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


def one_line(error: BaseException) -> str:
    """Why something failed, on one line."""
    return " ".join(reason_of(error).split())
