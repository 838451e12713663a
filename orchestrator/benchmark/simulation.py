"""Evaluations by several workers in virtual time, on an event heap.

A result is computed when a worker starts the evaluation, but the optimizer is told only when the evaluation
ends, in recorded time. No clock is read: the same optimizer and the same evaluations give the same schedule.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from orchestrator.benchmark.records import Evaluation
from orchestrator.benchmark.task import Task
from orchestrator.optimizers.base import Optimizer
from orchestrator.trial import Suggestion, Trial
from workloads.contract import Metrics


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a suggestion, and how long it takes.

    Args:
        trial: told at the end.
        cost: its share of a full evaluation.
        duration: of the evaluation, in virtual time; not negative.
        seconds: how long it took, by the clock.
        test: metrics of its model on held-out data; empty: not tested.
    """

    trial: Trial
    cost: float
    duration: float
    seconds: float = 0.0
    test: Metrics = field(default_factory=dict)


Evaluate = Callable[[Suggestion], Outcome]


class Budget:
    """The budget that a method has left.

    It is counted in whole units of fidelity, so that shares of a full evaluation add up exactly. A suggestion
    that does not fit ends it: the method is not asked for a smaller one.

    Args:
        task: with the budget in full evaluations.

    Attributes:
        exhausted: whether the optimizer ran out of suggestions before the budget was spent.
    """

    def __init__(self, task: Task) -> None:
        self._full = task.full
        self._smallest = task.workload.fidelity.smallest if task.multi_fidelity else task.full
        self._left = task.evaluations * task.full
        self.exhausted = False

    def ask(self, optimizer: Optimizer, n: int) -> list[Suggestion]:
        """Up to ``n`` suggestions that fit; none if nothing more fits or the optimizer has none now.

        Raises:
            ValueError: a suggestion's fidelity is not one of the task's.
        """
        most = min(n, self._left // self._smallest)
        if most == 0:
            return []
        suggestions = optimizer.ask(most)
        self.exhausted = not suggestions and not optimizer.pending
        for position, suggestion in enumerate(suggestions):
            amount = self._amount(suggestion)
            if amount > self._left:
                self._left = 0
                return suggestions[:position]
            self._left -= amount
        return suggestions

    def _amount(self, suggestion: Suggestion) -> int:
        amount = self._full if suggestion.fidelity is None else suggestion.fidelity
        if not self._smallest <= amount <= self._full:
            expected = f"a fidelity from {self._smallest} to {self._full}"
            raise ValueError(f"the optimizer suggested fidelity {amount}, expected {expected}")
        return amount


def simulate(
    optimizer: Optimizer,
    evaluate: Evaluate,
    budget: Budget,
    *,
    workers: int = 1,
    synchronous: bool = False,
    time_limit: float | None = None,
) -> Iterator[Evaluation]:
    """The evaluations of one cell, in the order in which they end, until there is nothing left to start.

    Asynchronously, a worker asks whenever it is free: an evaluation ends, its optimizer is told, and then
    workers that are free ask one by one, the one that has been free longest first. Evaluations that end at
    the same time do so in the order in which they were started, each with its own telling and asking. A
    worker that gets no suggestion remains idle until the next evaluation ends.

    Synchronously, all workers ask together, and all are told together when the slowest is done.

    With one worker both are the sequential loop of asking, evaluating and telling.

    Args:
        workers: the number of simultaneous evaluations, at least 1.
        synchronous: whether they wait for one another.
        time_limit: evaluations that end later are not part of the cell; None: no limit.

    Raises:
        Exception: what the optimizer or ``evaluate`` raised. What was yielded before has ended before.
    """
    limit = float("inf") if time_limit is None else time_limit
    schedule = _in_batches if synchronous else _as_workers_are_free
    return schedule(optimizer, evaluate, budget, workers, limit)


def _as_workers_are_free(
    optimizer: Optimizer, evaluate: Evaluate, budget: Budget, workers: int, limit: float
) -> Iterator[Evaluation]:
    now, started = 0.0, count()
    free = deque(range(workers))
    running: list[tuple[float, int, Evaluation]] = []
    while True:
        while free and (suggestions := budget.ask(optimizer, 1)):
            evaluation = _begun(evaluate(suggestions[0]), now, free.popleft())
            heapq.heappush(running, (evaluation.end, next(started), evaluation))
        if not running or running[0][0] > limit:
            return
        now, _, evaluation = heapq.heappop(running)
        yield evaluation
        optimizer.tell([evaluation.trial])
        free.append(evaluation.worker)


def _in_batches(
    optimizer: Optimizer, evaluate: Evaluate, budget: Budget, workers: int, limit: float
) -> Iterator[Evaluation]:
    now = 0.0
    while suggestions := budget.ask(optimizer, workers):
        begun = [_begun(evaluate(suggestion), now, worker) for worker, suggestion in enumerate(suggestions)]
        batch = sorted(begun, key=lambda evaluation: evaluation.end)
        yield from (evaluation for evaluation in batch if evaluation.end <= limit)
        now = batch[-1].end
        if now > limit:
            return
        optimizer.tell([evaluation.trial for evaluation in batch])


def _begun(outcome: Outcome, now: float, worker: int) -> Evaluation:
    end = now + outcome.duration
    return Evaluation(outcome.trial, outcome.cost, now, end, worker, outcome.seconds, outcome.test)
