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
            start = phases.starts(phase)[arrived[rows]]
            restarts = self._has_room(phase, generation, past) & self._is_over(phase, phases)
            if restarts.any():
                self._restart(choices, rows[restarts], arrived, now, phases, rng)
                choices.wait[rows[restarts]] = (
                    phases.due(phase + 1, generation, generation)[restarts] - generation[restarts]
                )
            rest, generation, start = rows[~restarts], generation[~restarts], start[~restarts]
            self._go_on(choices, rest, arrived, now, phases, rng)
            ahead = phases.due(phase, start, generation - 1) > generation
            failed = past.failed[past.latest[arrived[rest]]]
            unasked = rest[ahead & ~failed]
            choices.parents[unasked] = arrived[unasked]
            choices.units[unasked] = past.units[past.latest[arrived[unasked]]]
            choices.wait[rest] = phases.due(phase, start, generation) - generation
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

    def _go_on(
        self,
        choices: Choices,
        rows: Rows,
        arrived: Rows,
        now: Comparison,
        phases: Phases,
        rng: np.random.Generator,
    ) -> None:
        """PBT among the members of one phase; rows are those of the newcomers."""
        if not len(rows):
            return
        places = now.rows_of(arrived[rows])
        fellows = _fellows(now, places, phases)
        seen = now.evaluations
        evaluations = Evaluations(seen.losses[fellows], seen.units[fellows], seen.ages[fellows])
        own = np.arange(len(fellows))
        here = np.searchsorted(fellows, places)
        parents = own.copy()
        parents[here] = choose_parents(self.exploit, now.losses[fellows], evaluations, rng)[here]
        kept = np.where(parents == NOBODY, own, parents)
        units, space = now.units[fellows], phases.past.setting.space
        units = explore(self.explore, inherited(units, units[kept], space), kept, evaluations, space, rng)
        units[parents == NOBODY] = np.nan
        members = np.where(parents == NOBODY, NOBODY, now.members[fellows][kept])
        choices.parents[rows], choices.units[rows] = members[here], units[here]

    def _restart(
        self,
        choices: Choices,
        rows: Rows,
        arrived: Rows,
        now: Comparison,
        phases: Phases,
        rng: np.random.Generator,
    ) -> None:
        """New weights and hyperparameters for newcomers; rows are those of the newcomers."""
        places = now.rows_of(arrived[rows])
        fellows = _fellows(now, places, phases)
        shuffled = rng.permutation(fellows)
        ranking = shuffled[np.argsort(now.losses[shuffled, 0], kind="stable")]
        healthy = ranking[~np.isnan(now.losses[ranking, 0])]
        if not len(healthy):
            choices.parents[rows], choices.units[rows] = NOBODY, np.nan
            return
        top = healthy[: max(1, round(self.quantile * len(fellows)))]
        parents = np.where(np.isin(places, top), places, rng.choice(top, size=len(rows)))
        past, kept, count = phases.past, now.units[parents], len(rows)
        proposals = past.setting.space.sample_units(count, rng)
        learned = ~_some(self.drawn, count, rng)
        phase = int(phases.latest[arrived[rows[0]]]) + 1
        chosen = reinitialised(phases, phase, int(learned.sum()), rng)
        if chosen is not None:
            proposals[learned] = chosen
        choices.parents[rows] = now.members[parents]
        choices.units[rows], _ = inside(proposals, kept, past.setting.space, rng)
        fresh = _some(self.fresh, count, rng)
        choices.keep[rows] = np.where(fresh, 0.0, self.keep)
        choices.noise[rows] = np.where(fresh, 1.0, self.noise)


def _fellows(now: Comparison, places: Rows, phases: Phases) -> Rows:
    """The rows of a comparison that newcomers of one phase may copy: its members, or everybody's."""
    phase = phases.latest[now.members[places[0]]]
    rows = np.flatnonzero(phases.latest[now.members] == phase)
    return np.arange(len(now.members)) if np.isnan(now.losses[rows, 0]).all() else rows


def _some(share: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """A random choice of a share of ``count`` rows, rounded by chance, shape ``(count,)``."""
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: int(share * count + rng.random())]] = True
    return chosen
