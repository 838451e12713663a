"""DEHB: differential evolution over Hyperband's brackets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.differential import PARENTS, best_rows, crossed, inside, mutant
from orchestrator.optimizers.hyperband import bracket_sizes
from orchestrator.optimizers.rungs import Rungs, narrow, never_full
from orchestrator.optimizers.score import UNKNOWN, Score, score
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.columns import Floats
from workloads.contract import Fidelity, Objective

_TRIES = 16
"""After so many forbidden children a draw from the priors takes over."""


class Dehb(Optimizer):
    """DEHB (Awad et al. 2021): each fidelity has a population, which evolves with what the one below found.

    Brackets follow one another as in :class:`Hyperband`, and have its sizes. In the first round of brackets,
    each rung after the first trains the best of the rung below, as in successive halving. From then on, each
    trial is the child of one individual of its fidelity's population (its target) and a mutant of the best of
    the fidelity below (rand/1, binomial crossover); it takes its target's place if it is no worse.

    As in the authors' package, suggestions come from a new bracket while the others wait. Differences: an
    individual without a result is trained before it has children, as in the paper; a parameter that is
    inactive keeps a value in the population, so that children may inherit it.

    Args:
        eta: ratio between two rungs; at least 2.
        mutation_factor: how far a mutant goes from its first parent, above 0 and at most 1.
        crossover_probability: how much of a child comes from the mutant, 0 to 1.
    """

    capabilities = Capabilities(fidelity=True, constraints=True)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        eta: int = 3,
        mutation_factor: float = 0.5,
        crossover_probability: float = 0.5,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        at_least(2, eta=eta)
        if not 0 < mutation_factor <= 1:
            raise ConfigurationError("optimizer.mutation_factor", "above 0 and at most 1", mutation_factor)
        if not 0 <= crossover_probability <= 1:
            expected = "a number from 0 to 1"
            raise ConfigurationError("optimizer.crossover_probability", expected, crossover_probability)
        assert fidelity is not None
        self.eta, self._factor, self._probability = eta, mutation_factor, crossover_probability
        self.rungs = Rungs(fidelity.smallest, eta, fidelity.largest).up_to()
        self._kinds = bracket_sizes(len(self.rungs), eta)
        self._populations = [
            _Population(self._drawn(max(sizes), rung)) for rung, sizes in enumerate(self._on_each_rung())
        ]
        self._begun = 0
        self._brackets: list[_Bracket] = []
        self._training: dict[int, _Training] = {}

    def remark(self, trials: int) -> str:
        assert self.fidelity is not None
        span = narrow(self.rungs[0], self.rungs[-1], self.eta, self.fidelity.unit)
        return "; ".join(filter(None, (span, never_full(sum(self._kinds[0][:-1]), trials))))

    def _suggest(self, token: int) -> tuple[Config, int] | None:
        bracket = next((one for one in self._brackets if one.open), None) or self._new_bracket()
        rung = bracket.rung
        target = self._populations[rung].next_target()
        point = self._child(bracket, target, token)
        bracket.open -= 1
        self._training[token] = _Training(bracket, rung, target, point)
        units = self.space.codec.repair([point], stream(self.seed, "unused"))
        return self.space.codec.decode(units)[0], self.rungs[rung]

    def _learn(self, trial: Trial) -> None:
        training = self._training.pop(trial.suggestion.token)
        self._populations[training.rung].select(training.target, training.point, score(trial))
        self._count(training.bracket)

    def _withdraw(self, trial: Trial) -> None:
        self._count(self._training.pop(trial.suggestion.token).bracket)

    def _learn_late(self, trial: Trial) -> None:
        """Its target has had other children."""

    def _observe(self, trial: Trial) -> None:
        """It takes the place of the worst individual of its fidelity, if it is no worse."""
        if trial.suggestion.fidelity not in self.rungs:
            return
        population = self._populations[self.rungs.index(trial.suggestion.fidelity)]
        units = self.space.codec.encode([trial.config])[0]
        rng = stream(self.seed, "observed", self._observed)
        point = np.where(np.isnan(units), rng.random(len(units)), units)
        if (result := score(trial)).known:
            population.select(best_rows(population.scores, len(population.scores))[-1], point, result)

    def _on_each_rung(self) -> list[list[int]]:
        """How many trials each bracket has on each rung."""
        return [
            [sizes[rung - start] for start, sizes in enumerate(self._kinds) if start <= rung]
            for rung in range(len(self.rungs))
        ]

    def _drawn(self, count: int, rung: int) -> Floats:
        """Draws from the priors, ``(count, dim)``, with a number also where a parameter is inactive."""
        rng = stream(self.seed, "population", rung)
        units = self.space.sample_units(count, rng)
        return np.where(np.isnan(units), rng.random(units.shape), units)

    def _new_bracket(self) -> _Bracket:
        start = self._begun % len(self._kinds)
        bracket = _Bracket(start, self._kinds[start], first_round=self._begun < len(self._kinds))
        self._begun += 1
        self._brackets.append(bracket)
        return bracket

    def _count(self, bracket: _Bracket) -> None:
        bracket.ended()
        if bracket.over:
            self._brackets.remove(bracket)

    def _child(self, bracket: _Bracket, target: int, token: int) -> Floats:
        """The point to train, ``(dim,)``; an allowed one."""
        population = self._populations[bracket.rung]
        climbs = bracket.rung > bracket.start
        below = self._populations[bracket.rung - climbs]
        if climbs and bracket.first_round:
            promoted = below.promotion(bracket.promoted)
            if promoted is not None:
                return promoted
        elif population.fresh[target]:
            population.fresh[target] = False
            return np.array(population.points[target])
        rng = stream(self.seed, "child", token)
        pool = self._pool(below, bracket.size, rng)
        for _ in range(_TRIES):
            other = mutant(pool, self._factor, rng)
            child = inside(crossed(population.points[target], other, self._probability, rng), rng)
            if self.space.codec.legal(self.space.codec.repair([child], rng))[0]:
                return child
        units = self.space.sample_units(1, rng)[0]
        return np.where(np.isnan(units), rng.random(len(units)), units)

    def _pool(self, population: _Population, count: int, rng: np.random.Generator) -> Floats:
        """The ``count`` best individuals, and others of any fidelity where they are too few for a mutant."""
        best = population.points[best_rows(population.scores, count)]
        everybody = np.concatenate([one.points for one in self._populations])
        missing = max(0, PARENTS - len(best))
        return np.concatenate([best, everybody[rng.integers(len(everybody), size=missing)]])


@dataclass
class _Population:
    """The individuals of one fidelity.

    Args:
        points: ``(n, dim)`` in the unit cube.
        scores: of each; unknown before it was trained.
        fresh: which were never trained.
        target: whose turn it is to have a child.
    """

    points: Floats
    scores: list[Score] = field(init=False)
    fresh: list[bool] = field(init=False)
    target: int = 0

    def __post_init__(self) -> None:
        self.scores, self.fresh = [UNKNOWN] * len(self.points), [True] * len(self.points)

    def next_target(self) -> int:
        target = self.target
        self.target = (target + 1) % len(self.points)
        return target

    def select(self, row: int, point: Floats, result: Score) -> None:
        """Put a child in its target's place if it is no worse."""
        if result <= self.scores[row]:
            self.points[row], self.scores[row], self.fresh[row] = point, result, False

    def promotion(self, promoted: set[bytes]) -> Floats | None:
        """The best individual that is not among ``promoted``, which it joins; None: there is no other."""
        for row in best_rows(self.scores, len(self.scores)):
            point = self.points[row]
            if self.scores[row].known and point.tobytes() not in promoted:
                promoted.add(point.tobytes())
                return np.array(point)
        return None


class _Bracket:
    """One run of successive halving: how many trials are to begin on its present rung, and to end."""

    def __init__(self, start: int, sizes: Sequence[int], *, first_round: bool) -> None:
        self.start, self.rung, self.first_round = start, start, first_round
        self.promoted: set[bytes] = set()
        self._sizes = sizes
        self.open = self._running = sizes[0]

    @property
    def size(self) -> int:
        """How many trials it has on its present rung."""
        return self._sizes[self.rung - self.start]

    @property
    def over(self) -> bool:
        return self._running == 0

    def ended(self) -> None:
        """One trial of the present rung has ended; after the last, the next rung begins."""
        self._running -= 1
        if self._running == 0 and self.rung - self.start + 1 < len(self._sizes):
            self.rung += 1
            self.promoted = set()
            self.open = self._running = self.size


@dataclass(frozen=True)
class _Training:
    bracket: _Bracket
    rung: int
    target: int
    point: Floats
