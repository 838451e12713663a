"""What ASHA and Hyperband share: configurations of a sampler that climb a ladder of fidelities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.rungs import Rungs, narrow
from orchestrator.optimizers.score import UNKNOWN, Score, score
from orchestrator.randomness import derived_seed
from orchestrator.trial import Suggestion, Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from workloads.contract import Fidelity, Objective


@dataclass(frozen=True)
class Entrant:
    """A configuration on the ladder.

    Args:
        number: how many entered before it; the earlier one wins a tie.
        origin: the sampler's suggestion.
        start: the rung at which it entered, from 0.
    """

    number: int
    origin: Suggestion
    start: int


class SuccessiveHalving(Optimizer):
    """Suggests configurations of a sampler at small fidelities, and the best of them again at larger ones.

    The rungs are the workload's smallest fidelity times powers of ``eta``, and its largest. Each suggestion
    is a trial of its own; a search lets it go on from what the one before has left.

    The sampler is told of a configuration once: what came of it on the rung at which it entered. Losses at
    different fidelities are not comparable, so that there is a sampler for each rung where configurations
    enter. A trial that was stopped or failed goes no further. Configurations that violate a constraint rank
    behind those that do not (:class:`Score`); the sampler must be able to handle constraints, too.

    Args:
        sampler: makes the optimizer that proposes configurations, from the arguments that every optimizer
            takes; in a configuration a nested ``_target_`` with ``_partial_: true``.
        eta: ratio between two rungs, and of how many there are on one to how many go on; at least 2.
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
        sampler: Callable[..., Optimizer] = RandomSearch,
        eta: int = 3,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        at_least(2, eta=eta)
        self.eta = eta
        assert fidelity is not None
        self.rungs = Rungs(fidelity.smallest, eta, fidelity.largest).up_to()
        self._make_sampler = _checked(sampler)
        self._workers = 1
        self._samplers: dict[int, Optimizer] = {}
        self._sampler(0)  # which refuses what it cannot do
        self._entered = 0
        self._climbing: dict[int, tuple[Entrant, int]] = {}

    def _suggest(self, token: int) -> tuple[Config, int] | None:
        step = self._next()
        if step is None:
            return None
        self._climbing[token] = step
        entrant, rung = step
        return entrant.origin.config, self.rungs[rung]

    def _learn(self, trial: Trial) -> None:
        entrant, rung = self._climbing.pop(trial.suggestion.token)
        if rung == entrant.start:
            self._sampler(rung).tell([replace(trial, suggestion=entrant.origin)])
        self._record(entrant, rung, score(trial))

    def _withdraw(self, trial: Trial) -> None:
        """The configuration climbs no further, the sampler learns nothing, and nobody waits for it."""
        entrant, rung = self._climbing.pop(trial.suggestion.token)
        if rung == entrant.start:
            self._sampler(rung).tell([replace(trial, suggestion=entrant.origin)])
        self._give_up(entrant, rung)

    def _observe(self, trial: Trial) -> None:
        """The sampler of its rung learns."""
        if trial.suggestion.fidelity in self.rungs:
            self._sampler(self.rungs.index(trial.suggestion.fidelity)).observe([trial])

    def _learn_late(self, trial: Trial) -> None:
        """Its rung has been decided without it."""

    def remark(self, trials: int) -> str:
        assert self.fidelity is not None
        span = narrow(self.rungs[0], self.rungs[-1], self.eta, self.fidelity.unit)
        return "; ".join(filter(None, (span, self._never_full(trials))))

    @abstractmethod
    def _never_full(self, trials: int) -> str:
        """The remark where ``trials`` trials end before one is trained fully."""

    def plan(self, workers: int) -> None:
        self._workers = workers
        for sampler in self._samplers.values():
            sampler.plan(workers)

    @abstractmethod
    def _next(self) -> tuple[Entrant, int] | None:
        """Which configuration to train next, and on which rung; None: wait."""

    @abstractmethod
    def _record(self, entrant: Entrant, rung: int, result: Score) -> None:
        """Take in what came of a configuration on a rung."""

    def _give_up(self, entrant: Entrant, rung: int) -> None:
        """A configuration was lost on a rung: by default it is the last of those that wait there."""
        self._record(entrant, rung, UNKNOWN)

    def _enter(self, rung: int) -> Entrant | None:
        """A new configuration; None where the sampler has none now."""
        suggestions = self._sampler(rung).ask()
        if not suggestions:
            return None
        self._entered += 1
        return Entrant(self._entered - 1, suggestions[0], rung)

    def _sampler(self, rung: int) -> Optimizer:
        if rung not in self._samplers:
            seed = derived_seed(self.seed, "sampler", rung)
            try:
                self._samplers[rung] = self._make_sampler(
                    space=self.space, objectives=self.objectives, seed=seed, constraints=self.constraints
                )
                self._samplers[rung].plan(self._workers)
            except ConfigurationError as error:
                where, _, below = error.key.partition(".")
                # Without a cause it cannot serve the study: with it, neither can this optimizer.
                unable = not below and error.__cause__ is None
                if where != "optimizer" or unable:
                    raise
                key = f"optimizer.sampler.{below}".rstrip(".")
                raise ConfigurationError(key, error.expected, error.found, error.hint) from error
        return self._samplers[rung]


def _checked(sampler: Callable[..., Optimizer]) -> Callable[..., Optimizer]:
    kind = getattr(sampler, "func", sampler)
    capabilities = getattr(kind, "capabilities", None)
    if not isinstance(capabilities, Capabilities) or capabilities.fidelity:
        expected = "an optimizer's class that does not choose fidelities, with _partial_: true"
        raise ConfigurationError("optimizer.sampler", expected, getattr(kind, "__name__", kind))
    return sampler
