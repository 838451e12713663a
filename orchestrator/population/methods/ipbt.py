"""Iterated PBT (Chebykin et al. 2025, arXiv 2511.09190): restarts with longer and longer steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from orchestrator.population.comparison import Comparison, compare
from orchestrator.population.methods.contract import Choices, require_mutable, require_objectives
from orchestrator.population.methods.phases import Phases
from orchestrator.population.methods.restarts import reinitialised
from orchestrator.population.methods.stagnation import stagnates
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.proposals import inherited, inside
from orchestrator.population.rules.contract import (
    NOBODY,
    Evaluations,
    ExploitRule,
    ExploreRule,
    is_number,
)
from orchestrator.population.rules.exploit import choose_parents
from orchestrator.population.rules.explore import explore
from search_spaces import ConfigurationError


@dataclass(frozen=True)
class Ipbt:
    """PBT that restarts when it stagnates, with steps twice as long, so that no interval has to be chosen.

    It starts with steps of one interval. When the population's best score stagnates
    (:func:`~orchestrator.population.methods.stagnation.stagnates`), all members take weights of the best
    quarter (its own keep theirs), shrunk and perturbed, and new hyperparameters, half of them drawn and half
    chosen by what earlier phases taught (:func:`~orchestrator.population.methods.restarts.reinitialised`).
    A restart that would leave less than two of its steps does not happen; a last step that the life cannot
    hold whole is halved.

    In an asynchronous study, a phase ends when the slowest member has trained the step that shows stagnation;
    everybody then restarts on its own next arrival. Members copy from members of their own phase.

    Differences from the authors' code (github AwesomeLemon/IPBT): the rules between restarts are those that
    the study composes, PBT's by default, instead of BG-PBT's trust-region process; a population keeps its
    size, where theirs starts each phase with twice as many members for one step; and shrunk weights are not
    evaluated before they train, so the process over phases learns from ranks instead of gains.

    Args:
        exploit: between restarts, says who copies whom.
        explore: between restarts, changes the hyperparameters of those who copied.
        keep: what a restart leaves of the weights.
        noise: the share of newly initialised weights that it adds.
        fresh: the share of members that a restart gives new weights altogether.
        drawn: the share of members whose hyperparameters a restart draws from the search space.
        quantile: the share of members whose weights survive a restart.
        patience: steps without improvement before it.
        slow: steps in which the best score must rise by a standard deviation.
        factor: how many times longer the steps then are.
    """

    exploit: ExploitRule
    explore: ExploreRule
    keep: float = 0.2
    noise: float = 0.1
    fresh: float = 0.5
    drawn: float = 0.5
    quantile: float = 0.25
    patience: int = 3
    slow: int = 15
    factor: int = 2
    perturbs: ClassVar[bool] = True
    thinks: ClassVar[bool] = True
    adapts_interval: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("keep", "fresh", "drawn"):
            if not (is_number(value := getattr(self, name)) and 0 <= value <= 1):
                raise ConfigurationError(name, "a share from 0 to 1", value)
        if not (is_number(self.noise) and self.noise >= 0):
            raise ConfigurationError("noise", "a number of at least 0", self.noise)
        if (self.keep, self.noise) == (1, 0):
            raise ConfigurationError("noise", "above 0 where keep is 1, or restarts change nothing", 0)
        if not (is_number(self.quantile) and 0 < self.quantile <= 1):
            raise ConfigurationError("quantile", "a share above 0 and at most 1", self.quantile)
        for name, least in (("patience", 1), ("slow", 2), ("factor", 2)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigurationError(name, f"a whole number of at least {least}", value)

    def serves(self, setting: Setting) -> None:
        """Studies of one objective that the exploit rule serves, with something mutable."""
        require_objectives(setting, 1, "IPBT")
        require_mutable(setting, "IPBT chooses hyperparameters anew while members train")
        try:
            self.exploit.serves(1, setting.size)
        except ConfigurationError as error:
            raise error.within("exploit") from error

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Go on as PBT does, or restart; the newcomers of each phase on their own."""
        phases = Phases.of(past, self.factor)
        now = compare(arrived, past, max(self.exploit.window, self.explore.window))
        choices = Choices.of(arrived.copy(), past.units[past.latest[arrived]].copy())
        for phase in np.unique(phases.latest[arrived]).tolist():
            rows = np.flatnonzero(phases.latest[arrived] == phase)
            generation = past.generation[past.latest[arrived[rows]]]
            restarts = self._has_room(phase, generation, past) & self._is_over(phase, phases)
            for some, answer in ((rows[restarts], self._restart), (rows[~restarts], self._go_on)):
                if len(some):
                    choices.fill(some, answer(_Newcomers.of(arrived[some], now, phases), rng))
        return choices

    def _has_room(self, phase: int, generation: Rows, past: Past) -> np.ndarray:
        """Whether two steps of the next phase fit into the rest of each life."""
        room: np.ndarray = generation + 2 * self.factor ** (phase + 1) <= past.setting.generations
        return room

    def _is_over(self, phase: int, phases: Phases) -> bool:
        """Whether members of a phase are to leave it."""
        if phases.latest.max() > phase:
            return True
        return stagnates(-phases.best(phase), self.patience, self.slow)

    def _go_on(self, new: _Newcomers, rng: np.random.Generator) -> Choices:
        """PBT among the members of one phase, for those at the end of a step and those that have failed."""
        now, fellows, past = new.now, new.fellows, new.phases.past
        seen = now.evaluations
        evaluations = Evaluations(seen.losses[fellows], seen.units[fellows], seen.ages[fellows])
        own = np.arange(len(fellows))
        here = np.searchsorted(fellows, new.places)
        parents = own.copy()
        parents[here] = choose_parents(self.exploit, now.losses[fellows], evaluations, rng)[here]
        kept = np.where(parents == NOBODY, own, parents)
        units, space = now.units[fellows], past.setting.space
        units = explore(self.explore, inherited(units, units[kept], space), kept, evaluations, space, rng)
        units[parents == NOBODY] = np.nan
        members = np.where(parents == NOBODY, NOBODY, now.members[fellows][kept])
        start, generation = new.phases.starts(new.phase)[new.members], new.generation
        ahead = new.phases.due(new.phase, start, generation - 1) > generation
        unasked = (ahead & ~past.failed[new.latest])[:, None]
        wait = new.phases.due(new.phase, start, generation) - generation
        return Choices.of(
            np.where(unasked[:, 0], new.members, members[here]),
            np.where(unasked, past.units[new.latest], units[here]),
            wait=wait,
        )

    def _restart(self, new: _Newcomers, rng: np.random.Generator) -> Choices:
        """New weights and hyperparameters, to be decided on after the first of the next phase's steps."""
        now, count, phase = new.now, len(new.members), new.phase + 1
        wait = new.phases.due(phase, new.generation, new.generation) - new.generation
        shuffled = rng.permutation(new.fellows)
        ranking = shuffled[np.argsort(now.losses[shuffled, 0], kind="stable")]
        healthy = ranking[~np.isnan(now.losses[ranking, 0])]
        if not len(healthy):
            nobody = np.full(count, NOBODY)
            return Choices.of(nobody, np.full((count, now.units.shape[1]), np.nan), wait=wait)
        top = healthy[: max(1, round(self.quantile * len(new.fellows)))]
        parents = np.where(np.isin(new.places, top), new.places, rng.choice(top, size=count))
        space, kept = new.phases.past.setting.space, now.units[parents]
        proposals = space.sample_units(count, rng)
        learned = ~_some(self.drawn, count, rng)
        chosen = reinitialised(new.phases, phase, int(learned.sum()), rng)
        if chosen is not None:
            proposals[learned] = chosen
        units, _ = inside(proposals, kept, space, rng)
        fresh = _some(self.fresh, count, rng)
        keep, noise = np.where(fresh, 0.0, self.keep), np.where(fresh, 1.0, self.noise)
        return Choices.of(now.members[parents], units, wait=wait, keep=keep, noise=noise)


@dataclass(frozen=True)
class _Newcomers:
    """Members of one phase that have just published, and whom they may copy.

    Args:
        members: their numbers, ascending, shape ``(k,)``.
        phase: theirs.
        now: how all that have published compare.
        phases: those of everybody.
        places: their rows of the comparison, shape ``(k,)``.
        fellows: the rows of its members of the same phase, or of all where those have failed, shape ``(f,)``.
    """

    members: Rows
    phase: int
    now: Comparison
    phases: Phases
    places: Rows
    fellows: Rows

    @classmethod
    def of(cls, members: Rows, now: Comparison, phases: Phases) -> _Newcomers:
        """Those of these numbers, of which there is at least one."""
        phase = int(phases.latest[members[0]])
        rows = np.flatnonzero(phases.latest[now.members] == phase)
        fellows = np.arange(len(now.members)) if np.isnan(now.losses[rows, 0]).all() else rows
        return cls(members, phase, now, phases, now.rows_of(members), fellows)

    @property
    def latest(self) -> Rows:
        """The rows of the past that they have just added, shape ``(k,)``."""
        return self.phases.past.latest[self.members]

    @property
    def generation(self) -> Rows:
        """Intervals in the life of each, shape ``(k,)``."""
        return self.phases.past.generation[self.latest]


def _some(share: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """A random choice of a share of ``count`` rows, rounded by chance, shape ``(count,)``."""
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: int(share * count + rng.random())]] = True
    return chosen
