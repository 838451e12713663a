"""The brain of a population study: who copies whom, and with which hyperparameters each member goes on.

Knows nothing of processes, files or clocks. The same object decides for islands on a cluster and for a
population simulated in one process.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from orchestrator.objective import MissingMetricError, losses
from orchestrator.population.choosing import decisions_of
from orchestrator.population.decision import Decision
from orchestrator.population.fallbacks import of_publication, with_second, without_copy, without_crossover
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.methods.contract import BirthMethod, Choices, Method
from orchestrator.population.past import Past, Setting
from orchestrator.population.question import Question
from orchestrator.population.records import MemberInterval, Report
from orchestrator.population.schedule import Followed
from orchestrator.randomness import stream
from search_spaces import Config, SearchSpace
from workloads.contract import Objective


class Evolution:
    """The population's past and its method.

    Members of a synchronous study are decided on together, those of an asynchronous one each alone, against
    what the others have published. What is copied is the parent's latest publication, whose weights are still
    there. A member is decided on after as many intervals as its last decision said; one that fails, at once.

    Args:
        space: the search space.
        objectives: what is optimised.
        method: decides how members go on.
        size: number of members.
        generations: intervals in each member's life; nothing is copied after the last.
        seed: the study's seed; every draw comes from it, the generation and, in asynchronous studies, the
            member.
        initial: configurations of the first members; the others are the method's, or drawn from the space.
        followed: what every member trains with, whatever the method decides, by the age of its weights; None:
            the method decides alone.
        blocks: the workload's, for methods that let them cross.
    """

    def __init__(  # noqa: PLR0913 - what makes a study, by name
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        method: Method,
        *,
        size: int,
        generations: int,
        seed: int,
        initial: Sequence[Config] = (),
        followed: Followed | None = None,
        blocks: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._followed = followed
        self.space, self.objectives, self.method = space, tuple(objectives), method
        self.size, self.generations, self.seed = size, generations, seed
        setting = Setting(space, self.objectives, size, generations, blocks or {})
        rng = stream(seed, "birth")
        if isinstance(method, BirthMethod):
            drawn = space.codec.decode(method.birth(setting, rng))
        else:
            drawn = space.sample(size, rng)
        born = (*initial, *drawn[len(initial) :])
        self.born: tuple[Config, ...] = tuple(followed.config(one, 0) for one in born) if followed else born
        self.lives: list[list[MemberInterval]] = [[] for _ in range(size)]
        self.past = Past(setting, self.born)
        self._copied: dict[tuple[int, int], MemberInterval] = {}

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
        for question in self.questions(self.take_in(reports), alone=alone):
            self.settle(question, question.answer())
        return [self.lives[report.member][-1] for report in reports]

    def take_in(self, reports: Sequence[Report]) -> list[int]:
        """Take in what members published, who go on as they are until decided on, and say who is due now."""
        due = self.past.due[[report.member for report in reports]].tolist()
        for report, generation in zip(reports, due, strict=True):
            self._take_in(report, generation)
        return [
            report.member
            for report, generation in zip(reports, due, strict=True)
            if self._is_due(self.lives[report.member][-1], generation)
        ]

    def questions(self, due: Sequence[int], *, alone: bool, aside: bool = False) -> Iterator[Question]:
        """What the method is asked about members that are due, one question after another was settled.

        Args:
            due: their numbers.
            alone: whether each is decided on alone.
            aside: whether the population may go on while the method thinks.
        """
        for group in [[member] for member in due] if alone else [due] if due else []:
            latest = tuple(self.lives[member][-1] for member in group)
            rng = stream(self.seed, "decide", latest[0].generation, *([group[0]] if alone else []))
            yield Question(self.method, latest, self.past.copy() if aside else self.past, rng)

    def stands(self, question: Question) -> bool:
        """Whether the members that a question is about have not gone back since it was asked."""
        lives = [self.lives[interval.member] for interval in question.latest]
        return all(
            life and life[-1] is interval for life, interval in zip(lives, question.latest, strict=True)
        )

    def settle(self, question: Question, choices: Choices) -> None:
        """Members go on as the method chose; what it copies are their parents' publications of today."""
        decisions = decisions_of(question, choices, self.lives, self._rebirth)
        self._settle([self._possible(one, question.past) for one in decisions])

    def revise(self, member: int, at_hand: Mapping[int, int] | None = None) -> Decision:
        """Decide anew how a member goes on whose copy did not come about as decided.

        Args:
            member: whom it is about.
            at_hand: the publications that it can copy: by member, the generation. Without its parent's the
                member keeps its weights, or is born again if it has failed. It keeps its hyperparameters too,
                unless the copy was to be shrunk and perturbed, which then happens to its own weights.
                Without its second parent's it copies the first one alone.
        """
        decision, found = self.lives[member][-1].decision, at_hand or {}
        if decision.parent in found:
            copied = self.lives[decision.parent][found[decision.parent] - 1]
            decision = self._copying(decision, copied)
            if decision.crossover is not None:
                generation = found.get(decision.crossover.parent)
                decision = with_second(decision, generation, copied, self.lives, self.space)
        else:
            decision = self._without_copy(decision)
        self._settle([decision])
        return self.lives[member][-1].decision

    def keeping(self, interval: MemberInterval) -> Decision:
        """A decision to keep the weights and the hyperparameters of an interval."""
        keep = Decision(interval.member, interval.generation, interval.member, interval.config)
        return self._following(keep)

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
        self.past.rebuild(self.lives)
        for last in (self.lives[member][-1] for member in restored if self.lives[member]):
            if last.discards:
                self.past.lose(last.member)

    def replay(self, history: PopulationHistory) -> None:
        """Take up the lives that a journal tells in place of the present ones."""
        self.lives = [list(life) for life in history.lives]
        copies = {record.place: history.source(record) for record in history.records() if record.copies}
        self._copied = {place: source for place, source in copies.items() if source is not None}
        self.past.rebuild(self.lives)

    def source(self, interval: MemberInterval) -> MemberInterval | None:
        """The publication whose weights a member goes on with after an interval; None: new weights."""
        if interval.reborn:
            return None
        return self._copied.get(interval.place) if interval.copies else interval

    def _take_in(self, report: Report, due: int) -> None:
        """A member has published; until it is decided on it keeps its weights and its hyperparameters.

        Args:
            report: what it published.
            due: the generation after which it is decided on.
        """
        life, config = self.lives[report.member], self.config(report.member)
        values = [math.nan] * len(self.objectives)
        if report.failure is None:
            try:
                values = losses(report.metrics, self.objectives).tolist()
            except MissingMetricError as error:
                report = replace(report, failure=str(error))
        wait = max(1, due - report.generation)
        keep = Decision(report.member, report.generation, report.member, config, wait=wait)
        origin = self.source(life[-1]) if life else None
        interval = MemberInterval.of(report, config, values, keep, origin)
        life.append(interval)
        self.past.append(interval)
        if self._followed is not None:
            self._settle([keep])

    def _is_due(self, latest: MemberInterval, due: int) -> bool:
        """Whether a member that has just published, and is due after a generation, is decided on now."""
        return (latest.failed or due <= latest.generation) and latest.generation < self.generations

    def _following(self, decision: Decision) -> Decision:
        """A decision with the hyperparameters that the study's schedule has for the weights' age."""
        if self._followed is None:
            return decision
        life, number = self.lives[decision.parent], decision.parent_generation
        source = life[-1 if number is None else number - 1]
        return self._followed.decision(decision, 0 if decision.reborn else source.age)

    def _settle(self, decisions: Sequence[Decision]) -> None:
        decisions = [self._following(decision) for decision in decisions]
        for decision in decisions:
            life = self.lives[decision.member]
            if life[-1].decision != decision:
                life[-1] = life[-1].with_decision(decision)
        for decision in decisions:
            place = decision.member, decision.generation
            self._copied.pop(place, None)
            if decision.copies and decision.parent_generation is not None:
                self._copied[place] = self.lives[decision.parent][decision.parent_generation - 1]
        self.past.settle([self.lives[decision.member][-1] for decision in decisions])

    def _possible(self, decision: Decision, past: Past) -> Decision:
        """A decision that was made upon a past, or what comes nearest to it after what happened since."""
        if not decision.copies:
            return decision
        if not self._has_trained_on(decision.parent, past):
            possible = decision
        elif self._can_be_copied(decision.parent):
            possible = self._copying(decision, self.lives[decision.parent][-1])
        else:
            return self._without_copy(decision)
        if possible.crossover is None or not self._has_trained_on(possible.crossover.parent, past):
            return possible
        return without_crossover(possible, self.lives[possible.parent][-1])

    def _has_trained_on(self, member: int, past: Past) -> bool:
        """Whether a member's latest publication is another one than a past knows of."""
        life = self.lives[member]
        return not life or life[-1].generation != past.generation[past.latest[member]]

    def _can_be_copied(self, member: int) -> bool:
        """Whether a member's latest publication is healthy and at hand."""
        life = self.lives[member]
        return bool(life) and not life[-1].failed and not bool(self.past.lost[self.past.latest[member]])

    def _copying(self, decided: Decision, publication: MemberInterval) -> Decision:
        return of_publication(decided, publication, self.lives[decided.parent], self.space)

    def _without_copy(self, decided: Decision) -> Decision:
        member, generation = decided.member, decided.generation
        latest = self.lives[member][-1]
        return without_copy(decided, latest, self.space, lambda: self._rebirth(member, generation))

    def _rebirth(self, member: int, generation: int) -> Decision:
        config = self.space.sample(1, stream(self.seed, "rebirth", generation, member))[0]
        return Decision(member, generation, member, config, reborn=True)
