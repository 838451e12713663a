"""Asynchronous successive halving."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.halving import Entrant, SuccessiveHalving
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.rungs import never_full
from orchestrator.optimizers.score import Score, score
from orchestrator.trial import Suggestion, Trial
from search_spaces import SearchSpace
from search_spaces.values import config_key
from workloads.contract import Fidelity, Objective


class Asha(SuccessiveHalving):
    """ASHA (Li et al. 2020, algorithm 2, early-stopping rate 0): promotes whenever it can, and never waits.

    A suggestion is the best configuration among the best ``1 / eta`` of its rung that has not been promoted
    yet, taken from the highest rung that has one; if no rung has, a new configuration on the lowest rung.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        sampler: Callable[..., Optimizer] = RandomSearch,
        eta: int = 3,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints, sampler=sampler, eta=eta)
        self._results = [_Results() for _ in self.rungs[:-1]]
        self._observed_entrants: dict[str, Entrant] = {}

    def _never_full(self, trials: int) -> str:
        # Results that improve are promoted earlier than one in eta.
        before = sum(self.eta ** (rung + 1) for rung in range(len(self._results)))
        return never_full(before, trials, exact=False)

    def _next(self) -> tuple[Entrant, int] | None:
        for rung in reversed(range(len(self._results))):
            promoted = self._results[rung].promote(self.eta)
            if promoted is not None:
                return promoted, rung + 1
        entrant = self._enter(0)
        return None if entrant is None else (entrant, 0)

    def _record(self, entrant: Entrant, rung: int, result: Score) -> None:
        if rung < len(self._results):
            self._results[rung].add(entrant, result)

    def _give_up(self, entrant: Entrant, rung: int) -> None:
        """Nothing waits for it, and it is not ranked."""

    def _observe(self, trial: Trial) -> None:
        """It counts on its rung and may be promoted from there; the sampler learns on the first rung."""
        if trial.suggestion.fidelity not in self.rungs:
            return
        rung = self.rungs.index(trial.suggestion.fidelity)
        if rung == 0:
            self._sampler(0).observe([trial])
        key = config_key(trial.config)
        if key not in self._observed_entrants:
            suggestion = Suggestion(trial.config)
            self._observed_entrants[key] = Entrant(self._entered, suggestion, rung)
            self._entered += 1
        entrant = self._observed_entrants[key]
        for results in self._results[:rung]:
            results.drop(entrant)
        self._record(entrant, rung, score(trial))


@dataclass
class _Results:
    """The results of the configurations on one rung.

    Args:
        ranking: scores and numbers of all, ascending.
        waiting: a heap of the configurations that are not promoted yet.
    """

    ranking: list[tuple[Score, int]] = field(default_factory=list)
    waiting: list[tuple[Score, int, Entrant]] = field(default_factory=list)

    def add(self, entrant: Entrant, result: Score) -> None:
        insort(self.ranking, (result, entrant.number))
        if result.known:
            heappush(self.waiting, (result, entrant.number, entrant))

    def drop(self, entrant: Entrant) -> None:
        """Promote a configuration no more: it has been trained further."""
        self.waiting = [one for one in self.waiting if one[1] != entrant.number]
        heapify(self.waiting)

    def promote(self, eta: int) -> Entrant | None:
        """Promote the best configuration in the first ``1 / eta`` that is not promoted yet, and return it."""
        if not self.waiting or bisect_left(self.ranking, self.waiting[0][:2]) >= len(self.ranking) // eta:
            return None
        return heappop(self.waiting)[2]
