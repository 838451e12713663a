"""Hyperband."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.halving import Entrant, SuccessiveHalving
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.rungs import never_full
from orchestrator.optimizers.score import Score
from search_spaces import SearchSpace
from workloads.contract import Fidelity, Objective


class Hyperband(SuccessiveHalving):
    """Hyperband (Li et al. 2018): brackets of successive halving, from many configurations to few.

    The brackets follow one another, that with the smallest fidelities first, and begin anew after the last.
    While the rung of one waits for results, suggestions come from the brackets after it, of which as many are
    begun as it takes: no worker has to wait. Told of each suggestion before the next, one bracket follows the
    other as in the paper.

    Where the largest fidelity is not the smallest times a power of ``eta``, the last two rungs are closer
    together, and the brackets have the sizes that the paper has for their number of rungs.
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
        self._kinds = bracket_sizes(len(self.rungs), eta)
        self._begun = 0
        self._brackets: list[_Bracket] = []
        self._bracket_of: dict[int, _Bracket] = {}

    def _never_full(self, trials: int) -> str:
        return never_full(sum(self._kinds[0][:-1]), trials)

    def _next(self) -> tuple[Entrant, int] | None:
        for bracket in self._brackets:
            step = self._step(bracket)
            if step is not None:
                return step
        start = self._begun % len(self._kinds)
        bracket = _Bracket(start, self._kinds[start])
        step = self._step(bracket)
        if step is not None:
            self._begun += 1
            self._brackets.append(bracket)
        return step

    def _step(self, bracket: _Bracket) -> tuple[Entrant, int] | None:
        if bracket.ready:
            return bracket.ready.popleft(), bracket.rung
        entrant = self._enter(bracket.rung) if bracket.open else None
        if entrant is None:
            return None
        bracket.open -= 1
        self._bracket_of[entrant.number] = bracket
        return entrant, bracket.rung

    def _record(self, entrant: Entrant, rung: int, result: Score) -> None:
        del rung  # the bracket knows
        bracket = self._bracket_of[entrant.number]
        for gone in bracket.record(entrant, result):
            del self._bracket_of[gone.number]
        if bracket.over:
            self._brackets.remove(bracket)


class _Bracket:
    """One run of successive halving.

    ``rung`` is where it is; ``open`` says how many configurations are still to enter, and ``ready`` are those
    that were promoted to the rung and are not suggested again yet.
    """

    def __init__(self, start: int, sizes: Sequence[int]) -> None:
        self.rung = start
        self.open = sizes[0]
        self.ready: deque[Entrant] = deque()
        self._later = deque(sizes[1:])
        self._expected = sizes[0]
        self._results: list[tuple[Score, int, Entrant]] = []

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self._expected == 0

    def record(self, entrant: Entrant, result: Score) -> list[Entrant]:
        """Take in a result, and go to the next rung after the last; the configurations that go no further."""
        self._results.append((result, entrant.number, entrant))
        if len(self._results) < self._expected:
            return []
        ranking = sorted(self._results, key=lambda result: result[:2])
        usable = sum(score.known for score, _, _ in ranking)
        count = min(usable, self._later.popleft()) if self._later else 0
        self.ready.extend(entrant for _, _, entrant in ranking[:count])
        self.rung, self._expected, self._results = self.rung + 1, count, []
        return [entrant for _, _, entrant in ranking[count:]]


def bracket_sizes(rungs: int, eta: int) -> list[tuple[int, ...]]:
    """How many configurations each bracket has on each of its rungs; bracket ``i`` begins on rung ``i``.

    With ``s`` rungs above its first, it begins with ``ceil(rungs * eta**s / (s + 1))`` configurations, of
    which one in ``eta`` goes on from each rung, rounded down.
    """
    sizes = []
    for above in reversed(range(rungs)):
        first = -(-rungs * eta**above // (above + 1))
        sizes.append(tuple(first // eta**i for i in range(above + 1)))
    return sizes
