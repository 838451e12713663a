"""The brain of a population study: who copies whom, and with which hyperparameters each member goes on.

Knows nothing of processes, files or clocks. The same object decides for islands on a cluster and for a
population simulated in one process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.objective import MissingMetricError, losses
from orchestrator.population.explore import ExploreRule, explore
from orchestrator.population.history import MemberInterval, PopulationHistory
from orchestrator.population.records import Decision, Report
from orchestrator.population.rules import NOBODY, ExploitRule, History, Parents, choose_parents
from orchestrator.randomness import stream
from search_spaces import Config, SearchSpace
from workloads.base import Objective

Floats = NDArray[np.float64]
Rank = tuple[float, int, int]
"""Publications from the best: the first objective's loss, then generation and member, so that no two tie."""


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


@dataclass(frozen=True, eq=False)
class Interval:
    """One interval of one member's life: what it trained with, what came out and how it went on.

    At its end the member publishes: a copy is of one publication, which has the weights, the state of the
    optimizer, the age and the hyperparameters of one interval.

    Args:
        report: as the island published it, ``failure`` completed where an objective was missing.
        losses: shape ``(m,)``, minimised; NaN after a failure.
        units: shape ``(dim,)``, the hyperparameters it trained with.
        config: the same as a configuration.
        decision: how the member went on.
        origin: the publication whose weights it trained on; None: it began with new weights.
    """

    report: Report
    losses: Floats
    units: Floats
    config: Config
    decision: Decision
    origin: Interval | None = field(default=None, repr=False)

    @property
    def failed(self) -> bool:
        """Whether its weights are no use to anybody."""
        return bool(np.isnan(self.losses).any())

    @property
    def place(self) -> tuple[int, int]:
        """The member and the generation of its life."""
        return self.report.member, self.report.generation

    @property
    def rank(self) -> Rank:
        """Its place among all publications that have not failed."""
        return float(self.losses[0]), self.report.generation, self.report.member


@dataclass(frozen=True)
class _Standing:
    """The members that have published, as those that just arrived see them; rows are those of ``members``.

    Args:
        history: their evaluations at equal training.
        units: the hyperparameters that each trained its latest publication with, shape ``(n, dim)``.
    """

    members: NDArray[np.intp]
    arrived: NDArray[np.bool_]
    history: History
    units: Floats


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
        self.lives: list[list[Interval]] = [[] for _ in range(size)]
        self._copied: dict[tuple[int, int], Interval] = {}
        self._gone: set[tuple[int, int]] = set()

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
        for report in reports:
            self.lives[report.member].append(self._observe(report))
            self._gone.discard((report.member, report.generation))
        going_on = [report.member for report in reports if report.generation < self.generations]
        for group in [[member] for member in going_on] if alone else [going_on] if going_on else []:
            for decision in self._evolve(group, alone=alone):
                self._settle(decision)
        return [self.lives[report.member][-1] for report in reports]

    def revise(self, member: int, copied: tuple[int, int] | None = None) -> Decision:
        """Decide anew how a member goes on whose copy did not come about as decided.

        Args:
            member: whom it is about.
            copied: the publication that it copies (the parent and its generation). None: none can be had; the
                member keeps its weights and its hyperparameters, or is born again if it has failed.
        """
        latest = self.lives[member][-1]
        generation = latest.report.generation
        if copied is not None:
            parent, number = copied
            standing = self._standing([member])
            parents = np.full(len(standing.members), np.flatnonzero(standing.members == parent)[0])
            rng = stream(self.seed, "explore", generation, member)
            (decision,) = self._go_on(standing, parents, {parent: self.lives[parent][number - 1]}, rng)
        elif latest.failed:
            decision = self._rebirth(member, generation)
        else:
            decision = Decision(member, generation, member, latest.config)
        self._settle(decision)
        return decision

    def extinct(self) -> bool:
        """Whether every member's latest interval failed, so that nobody is left to copy."""
        return all(life and np.isnan(life[-1].losses).any() for life in self.lives)

    def best(self) -> Interval | None:
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
        for decision in (self.lives[member][-1].decision for member in restored if self.lives[member]):
            if decision.copies or decision.reborn:
                self._gone.add((decision.member, decision.generation))

    def replay(self, history: PopulationHistory) -> None:
        """Take up the lives that a journal tells in place of the present ones."""
        self.lives, self._copied = [[] for _ in range(self.size)], {}
        known: dict[MemberInterval, Interval] = {}
        for record in history.records():
            self.lives[record.member].append(self._recorded(record, known))
        for record in history.records():
            source = history.source(record)
            if record.copies and source is not None:
                self._copied[record.member, record.generation] = self._recorded(source, known)

    def source(self, interval: Interval) -> Interval | None:
        """The publication whose weights a member goes on with after an interval; None: new weights."""
        decision = interval.decision
        if decision.reborn:
            return None
        return self._copied.get((decision.member, decision.generation)) if decision.copies else interval

    def _recorded(self, record: MemberInterval, known: dict[MemberInterval, Interval]) -> Interval:
        """A journal's interval as it was, and all that its weights went through; kept in ``known``."""
        missing: list[MemberInterval] = []
        step: MemberInterval | None = record
        while step is not None and step not in known:
            missing.append(step)
            step = step.origin
        for past in reversed(missing):
            report = Report(past.member, past.generation, past.age, past.metrics, past.seconds, past.failure)
            decision = Decision(
                past.member,
                past.generation,
                past.parent,
                past.next_config,
                past.parent_generation,
                past.reborn,
            )
            origin = None if past.origin is None else known[past.origin]
            known[past] = self._interval(report, np.array(past.losses), past.config, decision, origin)
        return known[record]

    def _observe(self, report: Report) -> Interval:
        config = self.config(report.member)
        values = np.full(len(self.objectives), np.nan)
        if report.failure is None:
            try:
                values = losses(report.metrics, self.objectives)
            except MissingMetricError as error:
                report = replace(report, failure=str(error))
        keep = Decision(report.member, report.generation, report.member, config)
        life = self.lives[report.member]
        return self._interval(report, values, config, keep, self.source(life[-1]) if life else None)

    def _interval(
        self, report: Report, values: Floats, config: Config, decision: Decision, origin: Interval | None
    ) -> Interval:
        known = origin is not None and origin.config == config
        units = origin.units if origin is not None and known else self.space.codec.encode([config])[0]
        return Interval(report, values, units, config, decision, origin)

    def _settle(self, decision: Decision) -> None:
        life = self.lives[decision.member]
        life[-1] = replace(life[-1], decision=decision)
        self._copied.pop((decision.member, decision.generation), None)
        if decision.copies and decision.parent_generation is not None:
            copied = self.lives[decision.parent][decision.parent_generation - 1]
            self._copied[decision.member, decision.generation] = copied

    def _evolve(self, arrived: Sequence[int], *, alone: bool) -> list[Decision]:
        """Apply the rules to the members that just arrived, among all that have published."""
        generation = self.lives[arrived[0]][-1].report.generation
        name = (generation, arrived[0]) if alone else (generation,)
        standing = self._standing(arrived)
        parents = self._parents(standing.history, stream(self.seed, "exploit", *name))
        return self._go_on(standing, parents, {}, stream(self.seed, "explore", *name))

    def _standing(self, newcomers: Sequence[int]) -> _Standing:
        arrived = set(newcomers)
        age = max(self.lives[member][-1].report.age for member in arrived)
        published = [member for member in range(self.size) if self.lives[member]]
        window = max(self.rules.exploit.window, self.rules.explore.window)
        latest = [self.lives[member][-1] for member in published]
        seen = [
            _evaluations(last, None if member in arrived else age, window)
            for member, last in zip(published, latest, strict=True)
        ]
        history = _history(seen, window)
        # A copy is of the latest that a member published, which may have failed since the newcomer's age.
        history.losses[[last.failed or self._is_gone(last) for last in latest], -1] = np.nan
        units = np.array([last.units for last in latest])
        present = np.array([member in arrived for member in published])
        return _Standing(np.array(published), present, history, units)

    def _is_gone(self, publication: Interval) -> bool:
        return publication.place in self._gone

    def _go_on(
        self,
        standing: _Standing,
        parents: Parents,
        copied: Mapping[int, Interval],
        rng: np.random.Generator,
    ) -> list[Decision]:
        """Decisions on those that arrived, given the rows of their parents (or :data:`NOBODY`).

        Args:
            copied: publications that are copied, by parent, in place of the latest.
        """
        own = np.arange(len(standing.members))
        parents = np.where(standing.arrived, parents, own)
        kept = np.where(parents < 0, own, parents)
        latest = [self.lives[member][-1] for member in standing.members]
        sources = [copied.get(last.report.member, last) for last in latest]
        offered = np.array([source.units for source in sources]) if copied else standing.units
        inherited = self._inherit(standing.units, offered[kept])
        units = explore(self.rules.explore, inherited, kept, standing.history, self.space, rng)
        decisions = []
        for row in np.flatnonzero(standing.arrived):
            member, generation = latest[row].report.member, latest[row].report.generation
            source = sources[kept[row]] if parents[row] != row else latest[row]
            if parents[row] < 0:
                decisions.append(self._rebirth(member, generation))
                continue
            config = self._decode(units[row], latest[row], source)
            number = source.report.generation if parents[row] != row else None
            decisions.append(Decision(member, generation, source.report.member, config, number))
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

    def _decode(self, units: Floats, own: Interval, parent: Interval) -> Config:
        """A configuration's floats survive unless something changed them: decoding rounds."""
        for interval in (own, parent):
            if np.array_equal(units, interval.units, equal_nan=True):
                return interval.config
        return self.space.codec.decode(units[None])[0]


def _evaluations(latest: Interval, age: int | None, window: int) -> list[Interval]:
    """What present weights count with: up to ``window`` evaluations of theirs, oldest first, at least one.

    Args:
        latest: the member's latest interval.
        age: the newcomer's; weights that are older count with what they were then, in whichever member. None:
            the latest counts.
        window: evaluations that are looked at; those of weights that the member has discarded are not.
    """
    last = latest
    while age is not None and last.report.age > age and last.origin is not None:
        last = last.origin
    seen = [last]
    while len(seen) < window:
        before = seen[-1].origin
        if before is None or before.report.member != last.report.member:
            break
        seen.append(before)
    return seen[::-1]


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
