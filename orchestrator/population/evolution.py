"""The brain of a population study: who copies whom, and with which hyperparameters each member goes on.

Knows nothing of processes, files or clocks. The same object decides for islands on a cluster and for a
population simulated in one process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.objective import MissingMetricError, losses
from orchestrator.population.explore import ExploreRule, explore
from orchestrator.population.history import MemberInterval
from orchestrator.population.records import Decision, Report
from orchestrator.population.rules import NOBODY, ExploitRule, History, Parents, choose_parents
from orchestrator.randomness import stream
from search_spaces import Config, SearchSpace
from workloads.base import Objective

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """What makes a population evolve.

    Args:
        exploit: says who copies whom.
        explore: changes the hyperparameters of those who copied.
        inherit_hyperparameters: False: a copy takes the weights and what is fixed at birth, and keeps its own
            mutable hyperparameters (an ablation of the PBT paper).
    """

    exploit: ExploitRule
    explore: ExploreRule
    inherit_hyperparameters: bool = True


@dataclass(frozen=True)
class Interval:
    """One interval of one member's life: what it trained with, what came out and how it went on.

    Args:
        report: as the island published it, ``failure`` completed where an objective was missing.
        losses: shape ``(m,)``, minimised; NaN after a failure.
        units: shape ``(dim,)``, the hyperparameters it trained with.
        config: the same as a configuration.
        decision: how the member went on.
    """

    report: Report
    losses: Floats
    units: Floats
    config: Config
    decision: Decision


class Evolution:
    """The population's past and its rules.

    Members of a synchronous study are decided on together. In an asynchronous one each is decided on alone,
    against what the others have published, and compared at equal training: a member that is ahead counts
    with what it had reached at the newcomer's age, one that is behind with its latest result.

    Args:
        space: the search space.
        objectives: what is optimised.
        rules: exploit and explore.
        size: number of members.
        generations: intervals in each member's life; nothing is copied after the last.
        seed: the study's seed; every draw comes from it, the generation and, in asynchronous studies, the
            member.
        initial: configurations of the first members; the others are drawn from the space.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        rules: Rules,
        *,
        size: int,
        generations: int,
        seed: int,
        initial: Sequence[Config] = (),
    ) -> None:
        self.space, self.objectives, self.rules = space, tuple(objectives), rules
        self.size, self.generations, self.seed = size, generations, seed
        drawn = space.sample(size, stream(seed, "birth"))
        self.born: tuple[Config, ...] = (*initial, *drawn[len(initial) :])
        self.lives: list[list[Interval]] = [[] for _ in range(size)]

    def config(self, member: int) -> Config:
        """The hyperparameters that a member trains its next interval with."""
        life = self.lives[member]
        return life[-1].decision.config if life else self.born[member]

    def generation(self, member: int) -> int:
        """How many intervals a member has trained."""
        return len(self.lives[member])

    @property
    def finished(self) -> bool:
        """Whether every member has trained all its intervals."""
        return all(len(life) == self.generations for life in self.lives)

    def decide(self, reports: Sequence[Report], *, alone: bool = False) -> list[Interval]:
        """Take in what members published and say how each goes on; one interval for each report, in order.

        Args:
            reports: of all members, after the same generation, or in an asynchronous study of any.
            alone: whether each is decided on alone (asynchronous) and not all together.
        """
        fresh = [self._observe(report) for report in reports]
        for interval in fresh:
            self.lives[interval.report.member].append(interval)
        going_on = [report.member for report in reports if report.generation < self.generations]
        for group in [[member] for member in going_on] if alone else [going_on] if going_on else []:
            for decision in self._evolve(group, alone=alone):
                life = self.lives[decision.member]
                life[-1] = replace(life[-1], decision=decision)
        return [self.lives[report.member][-1] for report in reports]

    def extinct(self) -> bool:
        """Whether every member's latest interval failed, so that nobody is left to copy."""
        return all(life and np.isnan(life[-1].losses).any() for life in self.lives)

    def best(self) -> int | None:
        """The member with the lowest latest loss in the first objective; None while none is healthy."""
        latest = np.array([life[-1].losses[0] if life else np.nan for life in self.lives])
        return None if np.isnan(latest).all() else int(np.nanargmin(latest))

    def rewind(self, generations: Sequence[int]) -> None:
        """Forget all intervals of member ``i`` after its first ``generations[i]``."""
        for life, generation in zip(self.lives, generations, strict=True):
            del life[generation:]

    def replay(self, records: Iterable[MemberInterval]) -> None:
        """Take up the lives that a journal tells, by generation, in place of the present ones."""
        self.lives = [[] for _ in range(self.size)]
        for past in records:
            report = Report(past.member, past.generation, past.age, past.metrics, past.seconds, past.failure)
            decision = Decision(
                past.member,
                past.generation,
                past.parent,
                past.next_config,
                past.parent_generation,
                past.reborn,
            )
            interval = self._interval(report, np.array(past.losses), past.config, decision)
            self.lives[past.member].append(interval)

    def _observe(self, report: Report) -> Interval:
        config = self.config(report.member)
        values = np.full(len(self.objectives), np.nan)
        if report.failure is None:
            try:
                values = losses(report.metrics, self.objectives)
            except MissingMetricError as error:
                report = replace(report, failure=str(error))
        keep = Decision(report.member, report.generation, report.member, config)
        return self._interval(report, values, config, keep)

    def _interval(self, report: Report, values: Floats, config: Config, decision: Decision) -> Interval:
        life = self.lives[report.member]
        known = bool(life) and life[-1].config == config
        units = life[-1].units if known else self.space.codec.encode([config])[0]
        return Interval(report, values, units, config, decision)

    def _evolve(self, arrived: Sequence[int], *, alone: bool) -> list[Decision]:
        """Apply the rules to the members that just arrived, among all that have published."""
        age = max(self.lives[member][-1].report.age for member in arrived)
        published = [member for member in range(self.size) if self.lives[member]]
        window = max(self.rules.exploit.window, self.rules.explore.window)
        seen = [self._seen(member, age, window, latest=member in arrived) for member in published]
        history = _history(seen, window)
        # A copy is of the latest that a member published, which may have failed since the newcomer's age.
        failed = [bool(np.isnan(self.lives[member][-1].losses).any()) for member in published]
        history.losses[failed, -1] = np.nan
        generation = self.lives[arrived[0]][-1].report.generation
        name = (generation, arrived[0]) if alone else (generation,)

        chosen = self._parents(history, stream(self.seed, "exploit", *name))
        own = np.arange(len(published))
        parents = np.where(np.isin(published, arrived), chosen, own)
        kept = np.where(parents < 0, own, parents)
        inherited = self._inherit(np.stack([life[-1].units for life in seen]), kept)
        rng = stream(self.seed, "explore", *name)
        units = explore(self.rules.explore, inherited, kept, history, self.space, rng)
        decisions = []
        for row in np.flatnonzero(np.isin(published, arrived)):
            member, parent = published[row], published[kept[row]]
            if parents[row] < 0:
                config = self.space.sample(1, stream(self.seed, "rebirth", generation, member))[0]
                decisions.append(Decision(member, generation, member, config, reborn=True))
                continue
            config = self._decode(units[row], seen[row][-1], seen[kept[row]][-1])
            copied = len(self.lives[parent]) if parent != member else None
            decisions.append(Decision(member, generation, parent, config, copied))
        return decisions

    def _parents(self, history: History, rng: np.random.Generator) -> Parents:
        """Rows of parents; -1 where nobody healthy is there to copy."""
        if len(history.losses) > 1:
            return choose_parents(self.rules.exploit, history.losses[:, -1], history, rng)
        return np.array([NOBODY if np.isnan(history.losses[0, -1]).any() else 0])

    def _seen(self, member: int, age: int, window: int, *, latest: bool) -> list[Interval]:
        """The last part of a member's life that a newcomer of ``age`` is compared with.

        Never empty: a newcomer has trained one interval at least, and everybody's first interval is that
        long.
        """
        life = self.lives[member]
        if latest:
            return life[-window:]
        comparable = (past for past in reversed(life) if past.report.age <= age)
        return list(itertools.islice(comparable, window))[::-1]

    def _inherit(self, units: Floats, parents: NDArray[np.intp]) -> Floats:
        inherited = units[parents]
        if not self.rules.inherit_hyperparameters:
            mutable = np.array([column.mutable for column in self.space.codec.columns])
            inherited[:, mutable] = units[:, mutable]
        return inherited

    def _decode(self, units: Floats, own: Interval, parent: Interval) -> Config:
        """A configuration's floats survive unless something changed them: decoding rounds."""
        for interval in (own, parent):
            if np.array_equal(units, interval.units, equal_nan=True):
                return interval.config
        return self.space.codec.decode(units[None])[0]


def _history(seen: Sequence[Sequence[Interval]], window: int) -> History:
    """The last ``window`` intervals of each member, NaN-padded in front."""
    count, width = len(seen[0][-1].losses), len(seen[0][-1].units)
    past = np.full((len(seen), window, count), np.nan)
    units = np.full((len(seen), window, width), np.nan)
    ages = np.full((len(seen), window), np.nan)
    for row, life in enumerate(seen):
        for column, interval in enumerate(reversed(life[-window:]), start=1):
            past[row, -column] = interval.losses
            units[row, -column] = interval.units
            ages[row, -column] = interval.report.age
    return History(losses=past, units=units, ages=ages)
