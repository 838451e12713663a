"""The brain of a population study: who copies whom, and with which hyperparameters each member goes on.

Knows nothing of processes, files or clocks. The same object decides for islands on a cluster and for a
population simulated in one process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from orchestrator.objective import MissingMetricError, losses
from orchestrator.population.explore import ExploreRule, explore
from orchestrator.population.history import PopulationHistory
from orchestrator.population.records import Decision, MemberInterval, Report
from orchestrator.population.rules import NOBODY, ExploitRule, Floats, History, Parents, choose_parents
from orchestrator.population.standing import Standing, Standings
from orchestrator.randomness import stream
from search_spaces import Config, SearchSpace
from workloads.contract import Objective


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


class Evolution:
    """The population's past and its rules.

    Members of a synchronous study are decided on together. In an asynchronous one each is decided on alone,
    against what the others have published, and compared at equal training: a member that is ahead counts
    with what its weights had reached at the newcomer's age, one that is behind with its latest result. What
    is copied, hyperparameters included, is the parent's latest publication, whose weights are still there.

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
        self.lives: list[list[MemberInterval]] = [[] for _ in range(size)]
        self._copied: dict[tuple[int, int], MemberInterval] = {}
        self._gone: set[tuple[int, int]] = set()
        self._encoded: dict[MemberInterval, Floats] = {}
        window = max(rules.exploit.window, rules.explore.window)
        width = len(space.codec.columns)
        self._standings = Standings(size, len(self.objectives), window, self._units, width)

    def config(self, member: int) -> Config:
        """The hyperparameters that a member trains its next interval with."""
        life = self.lives[member]
        return life[-1].next_config if life else self.born[member]

    def generation(self, member: int) -> int:
        """How many intervals a member has trained."""
        return len(self.lives[member])

    @property
    def finished(self) -> bool:
        """Whether every member has trained all its intervals."""
        return all(len(life) == self.generations for life in self.lives)

    def decide(self, reports: Sequence[Report], *, alone: bool = False) -> list[MemberInterval]:
        """Take in what members published and say how each goes on; one interval for each report, in order.

        Args:
            reports: of all members, after the same generation, or in an asynchronous study of any.
            alone: whether each is decided on alone (asynchronous) and not all together.
        """
        for report in reports:
            self.lives[report.member].append(self._observe(report))
            self._gone.discard((report.member, report.generation))
        going_on = [report.member for report in reports if report.generation < self.generations]
        for group in [[member] for member in going_on] if alone else [going_on] if going_on else []:
            self._settle(self._evolve(group, alone=alone))
        return [self.lives[report.member][-1] for report in reports]

    def revise(self, member: int, copied: tuple[int, int] | None = None) -> Decision:
        """Decide anew how a member goes on whose copy did not come about as decided.

        Args:
            member: whom it is about.
            copied: the publication that it copies (the parent and its generation). None: none can be had; the
                member keeps its weights and its hyperparameters, or is born again if it has failed.
        """
        latest = self.lives[member][-1]
        generation = latest.generation
        if copied is not None:
            parent, number = copied
            now = self._standing([member])
            parents = np.full(len(now.members), np.flatnonzero(now.members == parent)[0])
            rng = stream(self.seed, "explore", generation, member)
            (decision,) = self._go_on(now, parents, {parent: self.lives[parent][number - 1]}, rng)
        elif latest.failed:
            decision = self._rebirth(member, generation)
        else:
            decision = Decision(member, generation, member, latest.config)
        self._settle([decision])
        return decision

    def extinct(self) -> bool:
        """Whether every member's latest interval failed, so that nobody is left to copy."""
        return all(life and life[-1].failed for life in self.lives)

    def best(self) -> MemberInterval | None:
        """The publication with the lowest loss in the first objective so far; None while all have failed."""
        healthy = (interval for life in self.lives for interval in life if not interval.failed)
        return min(healthy, key=lambda interval: interval.rank, default=None)

    def rewind(self, generations: Sequence[int], restored: Iterable[int] = ()) -> None:
        """Forget all intervals of member ``i`` after its first ``generations[i]``.

        Args:
            restored: members that go on from what a snapshot has of them: what they went on with after their
                last interval. Where that is a copy, the weights that they had published are gone.
        """
        for life, generation in zip(self.lives, generations, strict=True):
            del life[generation:]
        for last in (self.lives[member][-1] for member in restored if self.lives[member]):
            if last.copies or last.reborn:
                self._gone.add(last.place)
        self._encoded.clear()

    def replay(self, history: PopulationHistory) -> None:
        """Take up the lives that a journal tells in place of the present ones."""
        self.lives = [list(life) for life in history.lives]
        copies = {record.place: history.source(record) for record in history.records() if record.copies}
        self._copied = {place: source for place, source in copies.items() if source is not None}
        self._encoded.clear()

    def source(self, interval: MemberInterval) -> MemberInterval | None:
        """The publication whose weights a member goes on with after an interval; None: new weights."""
        if interval.reborn:
            return None
        return self._copied.get(interval.place) if interval.copies else interval

    def _observe(self, report: Report) -> MemberInterval:
        config, life = self.config(report.member), self.lives[report.member]
        values = np.full(len(self.objectives), np.nan)
        if report.failure is None:
            try:
                values = losses(report.metrics, self.objectives)
            except MissingMetricError as error:
                report = replace(report, failure=str(error))
        keep = Decision(report.member, report.generation, report.member, config)
        return MemberInterval.of(
            report, config, values.tolist(), keep, self.source(life[-1]) if life else None
        )

    def _units(self, interval: MemberInterval) -> Floats:
        """The hyperparameters that an interval was trained with, in unit coordinates, shape ``(dim,)``."""
        units = self._encoded.get(interval)
        if units is None:
            origin = interval.origin
            if origin is not None and origin.config == interval.config:
                units = self._encoded.get(origin)
            if units is None:
                units = self.space.codec.encode([interval.config])[0]
            self._encoded[interval] = units
        return units

    def _settle(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            life = self.lives[decision.member]
            before, life[-1] = life[-1], life[-1].with_decision(decision)
            if (units := self._encoded.pop(before, None)) is not None:
                self._encoded[life[-1]] = units
        for after in (self.lives[decision.member][-1] for decision in decisions):
            self._copied.pop(after.place, None)
            if after.copies and after.parent_generation is not None:
                self._copied[after.place] = self.lives[after.parent][after.parent_generation - 1]

    def _evolve(self, arrived: Sequence[int], *, alone: bool) -> list[Decision]:
        """Apply the rules to the members that just arrived, among all that have published."""
        generation = self.lives[arrived[0]][-1].generation
        name = (generation, arrived[0]) if alone else (generation,)
        now = self._standing(arrived)
        parents = self._parents(now.history, stream(self.seed, "exploit", *name))
        return self._go_on(now, parents, {}, stream(self.seed, "explore", *name))

    def _standing(self, newcomers: Sequence[int]) -> Standing:
        return self._standings.now(self.lives, newcomers, self._gone)

    def _go_on(
        self,
        now: Standing,
        parents: Parents,
        copied: Mapping[int, MemberInterval],
        rng: np.random.Generator,
    ) -> list[Decision]:
        """Decisions on those that arrived, given the rows of their parents (or :data:`NOBODY`).

        Args:
            copied: publications that are copied, by parent, in place of the latest.
        """
        own = np.arange(len(now.members))
        parents = np.where(now.arrived, parents, own)
        kept = np.where(parents < 0, own, parents)
        offered = now.units.copy()
        for parent, publication in copied.items():
            offered[now.members == parent] = self._units(publication)
        inherited = self._inherit(now.units, offered[kept])
        units = explore(self.rules.explore, inherited, kept, now.history, self.space, rng)
        decisions = []
        for row in np.flatnonzero(now.arrived).tolist():
            last = self.lives[now.members[row]][-1]
            if parents[row] < 0:
                decisions.append(self._rebirth(last.member, last.generation))
                continue
            parent, copies = int(now.members[parents[row]]), parents[row] != row
            source = copied.get(parent, self.lives[parent][-1]) if copies else last
            config = self._decode(units[row], last, source)
            number = source.generation if copies else None
            decisions.append(Decision(last.member, last.generation, source.member, config, number))
        return decisions

    def _rebirth(self, member: int, generation: int) -> Decision:
        config = self.space.sample(1, stream(self.seed, "rebirth", generation, member))[0]
        return Decision(member, generation, member, config, reborn=True)

    def _parents(self, history: History, rng: np.random.Generator) -> Parents:
        """Rows of parents; -1 where nobody healthy is there to copy."""
        if len(history.losses) > 1:
            return choose_parents(self.rules.exploit, history.losses[:, -1], history, rng)
        return np.array([NOBODY if np.isnan(history.losses[0, -1]).any() else 0])

    def _inherit(self, own: Floats, copied: Floats) -> Floats:
        inherited = copied.copy()
        if not self.rules.inherit_hyperparameters:
            mutable = np.array([column.mutable for column in self.space.codec.columns])
            inherited[:, mutable] = own[:, mutable]
        return inherited

    def _decode(self, units: Floats, own: MemberInterval, parent: MemberInterval) -> Config:
        """A configuration's floats survive unless something changed them: decoding rounds."""
        for interval in (own, parent):
            if np.array_equal(units, self._units(interval), equal_nan=True):
                return interval.config
        return self.space.codec.decode(units[None])[0]
