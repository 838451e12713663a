"""How the methods of a benchmark stand while it runs: mean ranks over what all of them have computed.

They say how things look, and decide nothing: the report's ranks (:mod:`orchestrator.analysis`) do.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import stats

from orchestrator import pareto
from orchestrator.benchmark.records import CellResult
from orchestrator.benchmark.task import Task

Score = tuple[str, str, int, float | None]
"""Task, method and seed of a cell, and the loss that it ended with, as the journal has it; None: it found
nothing."""


def score_of(result: CellResult, task: Task) -> float | None:
    """The loss that a cell ended with, infinite where it found nothing; None: it cannot be compared.

    Of several objectives it is the negated hypervolume within the reference point of the task. Cells of a
    task without one, and cells that were lost, cannot be compared.
    """
    if result.status == "lost":
        return None
    trials = (evaluation.trial for evaluation in result.evaluations)
    losses = [
        trial.losses
        for trial in trials
        if trial.feasible and (task.anytime or trial.fidelity in (None, task.full))
    ]
    if len(task.objectives) == 1:
        return min((loss for (loss,) in losses), default=math.inf)
    if any(objective.reference is None for objective in task.objectives):
        return None
    if not losses:
        return math.inf
    return -pareto.hypervolume(losses, pareto.reference_point(task.objectives, losses))


class Standings:
    """Mean ranks of methods, folded from the scores of cells as they end.

    A task and a seed count once every method has a score there, so that all are compared on the same cells.

    Args:
        methods: their names.
    """

    def __init__(self, methods: Iterable[str]) -> None:
        self._scores: defaultdict[tuple[str, int], dict[str, float]] = defaultdict(dict)
        self.go_on(methods)

    @property
    def compared(self) -> int:
        """The pairs of a task and a seed that count."""
        return self._compared

    @property
    def ranks(self) -> Mapping[str, float]:
        """The mean rank of each method, 1 the best; empty while nothing can be compared."""
        if not self._compared:
            return {}
        return dict(zip(self._methods, (self._sums / self._compared).tolist(), strict=True))

    def take(self, scores: Iterable[Score]) -> None:
        """Take in scores; a cell that is computed again replaces what it had."""
        for task, method, seed, loss in scores:
            there = self._scores[task, seed]
            self._count(there, -1)
            there[method] = math.inf if loss is None else loss
            self._count(there, 1)

    def go_on(self, methods: Iterable[str]) -> None:
        """The study goes on, perhaps with other methods."""
        self._methods: Sequence[str] = tuple(methods)
        self._sums, self._compared = np.zeros(len(self._methods)), 0
        for there in self._scores.values():
            self._count(there, 1)

    def _count(self, there: Mapping[str, float], by: int) -> None:
        if all(method in there for method in self._methods):
            self._sums += by * stats.rankdata([there[method] for method in self._methods])
            self._compared += by
