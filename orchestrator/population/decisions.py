"""What islands are told after they have published: decisions, the states that they need, what to save."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.population.evolution import Evolution
from orchestrator.population.exchange import Exchange
from orchestrator.population.membership import Membership
from orchestrator.population.messages import Offer, Orders, PackedState, Plan
from orchestrator.population.methods.contract import thinks
from orchestrator.population.records import Decision, MemberInterval, Report
from orchestrator.population.saving import Saving
from orchestrator.population.writing import PopulationJournal

REJOIN = Orders(rejoin=True)
END = Orders(failed=True)

Observer = Callable[[Evolution, Sequence[MemberInterval]], None]
"""Told of every decided interval, for metrics."""


@dataclass(frozen=True)
class Decisions:
    """Decides on what islands have published, writes that down and says how their members go on.

    Args:
        evolution: the population.
        plan: the study's course.
        homes: by member, its island.
        membership: the islands that take part; learns where the study fails.
        exchange: states on their way between islands.
        saving: what is saved when.
        journal: of the study.
        observer: told of every decided interval.
        thinking: held while the method thinks, so that each decision knows of those before.
    """

    evolution: Evolution
    plan: Plan
    homes: Mapping[int, int]
    membership: Membership
    exchange: Exchange
    saving: Saving
    journal: PopulationJournal
    observer: Observer
    thinking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def together(self, reports: Sequence[Report]) -> dict[int, Orders]:
        """Orders for every island, after all members have published (synchronous).

        None for anybody where the population goes back meanwhile.
        """
        intervals = await self._decide(reports)
        decisions = [interval.decision for interval in intervals or ()]
        own: dict[int, list[Decision]] = {}
        send: dict[int, set[int]] = {}
        for decision in decisions:
            own.setdefault(self.homes[decision.member], []).append(decision)
            if self._is_abroad(decision):
                send.setdefault(self.homes[decision.parent], set()).add(decision.parent)
        return {island: self._orders(mine, send=send.get(island, ())) for island, mine in own.items()}

    async def alone(self, epoch: int, reports: Sequence[Report]) -> list[Orders]:
        """Orders about each of some members of one island (asynchronous).

        Until the state that it copies has come, a member is on record as keeping its weights.
        """
        if self.membership.failure is not None:
            return [END]
        intervals = await self._decide(reports)
        if intervals is None:
            return [REJOIN]  # their island died meanwhile; nobody hears this
        # Taken before anybody waits: what is at hand later may be of another publication.
        pairs = [(interval, self._at_hand(interval.decision)) for interval in intervals]
        wanted = {i.parent for i, offer in pairs if offer is None and self._is_abroad(i.decision)}
        if not wanted:
            return [self._order(*pair) for pair in pairs]
        for parent in wanted:
            self.exchange.want(parent)
        return list(await asyncio.gather(*(self._order_later(epoch, *pair) for pair in pairs)))

    def give_up(self, member: int) -> Decision:
        """How a member goes on whose copy could not be made."""
        parent = self.evolution.lives[member][-1].parent
        with self._failing_all():
            decision = self.evolution.revise(member)
            self.journal.write(decision.to_event(f"the state of member {parent} could not be had"))
        return decision

    async def _order_later(self, epoch: int, interval: MemberInterval, offer: Offer | None) -> Orders:
        """How one member goes on, once the state that it copies has come."""
        decision = interval.decision
        if offer is not None or not self._is_abroad(decision):
            return self._order(interval, offer)
        offer = await self.exchange.fetch(epoch, decision.parent)
        if not self._is_latest(interval):
            return REJOIN  # its island died meanwhile; nobody hears this
        decision, offer = self._copy(decision, offer)
        return self._orders([decision], {} if offer is None else {decision.parent: offer.state})

    def _order(self, interval: MemberInterval, offer: Offer | None) -> Orders:
        """How one member goes on that needs no state, or one that is at hand."""
        return self._orders([interval.decision], {} if offer is None else {interval.parent: offer.state})

    async def _decide(self, reports: Sequence[Report]) -> list[MemberInterval] | None:
        """What becomes of members that have published; None where they have gone back meanwhile."""
        with self._failing_all():
            if not thinks(self.evolution.method):
                intervals = self.evolution.decide(reports, alone=not self.plan.synchronous)
                self.journal.write(*(self._on_record(interval).to_event() for interval in intervals))
            elif (thought := await self._think(reports)) is not None:
                intervals = thought
            else:
                return None
            self.journal.write_failures(reports)
            self.observer(self.evolution, intervals)
            self.saving.note(intervals)
        if self.evolution.extinct():
            reason = intervals[-1].failure or "its objective was not finite"
            self.membership.fail(f"every member has failed; member {intervals[-1].member}: {reason}")
        return intervals

    async def _think(self, reports: Sequence[Report]) -> list[MemberInterval] | None:
        """The same where the method thinks beside the event loop.

        In an asynchronous study others may copy what was published before its own member is decided on, so
        it goes on record first, and the decision afterwards.
        """
        due, lives = self.evolution.take_in(reports), self.evolution.lives
        taken = [lives[report.member][-1] for report in reports]
        if not self.plan.synchronous:
            self.journal.write(*(interval.to_event() for interval in taken))
        alone = not self.plan.synchronous
        async with self.thinking:
            if not self._are_latest(taken):
                return None
            for question in self.evolution.questions(due, alone=alone, aside=True):
                choices = await asyncio.to_thread(question.answer)
                if not self.evolution.stands(question):
                    return None
                self.evolution.settle(question, choices)
        intervals = [lives[report.member][-1] for report in reports]
        if self.plan.synchronous:
            self.journal.write(*(interval.to_event() for interval in intervals))
        else:
            pairs = zip(taken, map(self._on_record, intervals), strict=True)
            changed = [after.decision for before, after in pairs if after.decision != before.decision]
            self.journal.write(*(decision.to_event() for decision in changed))
        return intervals

    def _on_record(self, interval: MemberInterval) -> MemberInterval:
        """The interval as it is written: until the state that it copies has come, a member keeps its own."""
        decision = interval.decision
        if self.plan.synchronous or not self._is_abroad(decision) or self._at_hand(decision) is not None:
            return interval
        return interval.with_decision(self.evolution.keeping(interval))

    @contextmanager
    def _failing_all(self) -> Iterator[None]:
        """Whatever is raised here reaches one island alone; the others must not wait for its answer."""
        try:
            yield
        except Exception as error:
            self.membership.fail(f"deciding about members failed: {type(error).__name__}: {error}")
            raise

    def _is_abroad(self, decision: Decision) -> bool:
        """Whether a member copies one of another island."""
        return decision.copies and self.homes[decision.parent] != self.homes[decision.member]

    def _are_latest(self, intervals: Sequence[MemberInterval]) -> bool:
        """Whether none of some members has gone back since these intervals."""
        return all(self._is_latest(interval) for interval in intervals)

    def _is_latest(self, interval: MemberInterval) -> bool:
        """Whether a member has neither gone back nor trained on since an interval."""
        life = self.evolution.lives[interval.member]
        return bool(life) and life[-1] is interval

    def _at_hand(self, decision: Decision) -> Offer | None:
        """The very publication that a decision is about, if it has come."""
        if not self._is_abroad(decision):
            return None
        offer = self.exchange.at_hand(decision.parent)
        return offer if offer is not None and offer.generation == decision.parent_generation else None

    def _copy(self, decision: Decision, offer: Offer | None) -> tuple[Decision, Offer | None]:
        """The final decision on a member that copies from another island, and what it copies.

        The parent may have trained on: what came, and goes on record, may be of a later publication.
        """
        life = self.evolution.lives[decision.parent]
        number = offer.generation if offer is not None and offer.state is not None else 0
        if offer is None or not 0 < number <= len(life) or life[number - 1].failed:
            return self.give_up(decision.member), None
        with self._failing_all():
            if number != decision.parent_generation:
                decision = self.evolution.revise(decision.member, (decision.parent, number))
            self.journal.write(decision.to_event())
        return decision, offer

    def _orders(
        self,
        decisions: Sequence[Decision],
        states: Mapping[int, PackedState] | None = None,
        send: Collection[int] = (),
    ) -> Orders:
        """Orders about members of one island that have trained as many intervals as one another."""
        if self.membership.failure is not None:
            return END
        generation = decisions[0].generation
        best = self.saving.keep(decisions)
        return Orders(
            decisions=tuple(decisions),
            send=frozenset(send),
            states=states or {},
            snapshot=self.saving.folder(generation),
            best=best,
            forget=self.saving.forget(self.homes[decisions[0].member]),
            done=generation == self.plan.generations or self.saving.stopping,
        )
