"""What islands are told after they have published: decisions, the states that they need, what to save."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.population.coordination.exchange import Exchange
from orchestrator.population.coordination.membership import Membership
from orchestrator.population.coordination.messages import Offer, Orders, PackedState, Plan
from orchestrator.population.coordination.writing import PopulationJournal
from orchestrator.population.decision import Decision
from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.contract import thinks
from orchestrator.population.records import MemberInterval, Report
from orchestrator.population.snapshots.saving import Saving
from orchestrator.run.faults import storage_failure

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
            for donor in self._abroad(decision):
                send.setdefault(self.homes[donor], set()).add(donor)
        return {island: self._orders(mine, send=send.get(island, ())) for island, mine in own.items()}

    async def alone(self, epoch: int, reports: Sequence[Report]) -> list[Orders]:
        """Orders about each of some members of one island (asynchronous).

        Until the states that it copies have come, a member is on record as keeping its weights.
        """
        if self.membership.failure is not None:
            return [END]
        intervals = await self._decide(reports)
        if intervals is None:
            return [REJOIN]  # their island died meanwhile; nobody hears this
        # Taken before anybody waits: what is at hand later may be of another publication.
        pairs = [(interval, self._at_hand(interval.decision)) for interval in intervals]
        wanted = {donor for one, offers in pairs for donor in self._abroad(one.decision) - offers.keys()}
        if not wanted:
            return [self._order(*pair) for pair in pairs]
        for donor in wanted:
            self.exchange.want(donor)
        return list(await asyncio.gather(*(self._order_later(epoch, *pair) for pair in pairs)))

    def give_up(self, member: int) -> Decision:
        """How a member goes on whose copy could not be made."""
        parent = self.evolution.lives[member][-1].parent
        with self._failing_all():
            decision = self.evolution.revise(member)
            self.journal.write(decision.to_event(f"the state of member {parent} could not be had"))
        return decision

    async def _order_later(
        self, epoch: int, interval: MemberInterval, at_hand: Mapping[int, Offer]
    ) -> Orders:
        """How one member goes on, once the states that it copies have come."""
        missing = sorted(self._abroad(interval.decision) - at_hand.keys())
        if not missing:
            return self._order(interval, at_hand)
        fetched = await asyncio.gather(*(self.exchange.fetch(epoch, donor) for donor in missing))
        if not self._is_latest(interval):
            return REJOIN  # its island died meanwhile; nobody hears this
        found = zip(missing, fetched, strict=True)
        offers = {**at_hand, **{donor: offer for donor, offer in found if offer is not None}}
        decision = self._copy(interval.decision, offers)
        return self._orders([decision], {donor: offers[donor].state for donor in self._abroad(decision)})

    def _order(self, interval: MemberInterval, at_hand: Mapping[int, Offer]) -> Orders:
        """How one member goes on that needs no states, or such as are at hand."""
        return self._orders([interval.decision], {donor: offer.state for donor, offer in at_hand.items()})

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
        """The interval as it is written: until what it copies has come, a member keeps its own weights."""
        decision = interval.decision
        if self.plan.synchronous or self._at_hand(decision).keys() == self._abroad(decision):
            return interval
        return interval.with_decision(self.evolution.keeping(interval))

    @contextmanager
    def _failing_all(self) -> Iterator[None]:
        """Whatever is raised here reaches one island alone; the others must not wait for its answer."""
        try:
            yield
        except Exception as error:
            full = storage_failure(error)
            reason = f"deciding about members failed: {type(error).__name__}: {error}"
            self.membership.fail(f"nothing more can be written: {full}" if full else reason)
            raise

    def _abroad(self, decision: Decision) -> frozenset[int]:
        """Those of another island among the members that a member copies."""
        home = self.homes[decision.member]
        return frozenset(donor for donor in decision.donors if self.homes[donor] != home)

    def _are_latest(self, intervals: Sequence[MemberInterval]) -> bool:
        """Whether none of some members has gone back since these intervals."""
        return all(self._is_latest(interval) for interval in intervals)

    def _is_latest(self, interval: MemberInterval) -> bool:
        """Whether a member has neither gone back nor trained on since an interval."""
        life = self.evolution.lives[interval.member]
        return bool(life) and life[-1] is interval

    def _at_hand(self, decision: Decision) -> dict[int, Offer]:
        """The very publications of other islands that a decision is about, as far as they have come."""
        found = {donor: self.exchange.at_hand(donor) for donor in self._abroad(decision)}
        return {
            donor: offer
            for donor, offer in found.items()
            if offer is not None and offer.generation == decision.copied.get(donor)
        }

    def _copy(self, decision: Decision, offers: Mapping[int, Offer]) -> Decision:
        """The final decision on a member that copies from other islands.

        Parents may have trained on: what came, and goes on record, may be of a later publication.

        Args:
            decision: as it was made.
            offers: what has come.
        """
        abroad = self._abroad(decision)
        found = {donor: number for donor, number in decision.copied.items() if donor not in abroad}
        found |= {donor: offer.generation for donor, offer in offers.items() if self._is_of_use(donor, offer)}
        if decision.parent not in found:
            return self.give_up(decision.member)
        with self._failing_all():
            if found != decision.copied:
                decision = self.evolution.revise(decision.member, found)
            self.journal.write(decision.to_event())
        return decision

    def _is_of_use(self, member: int, offer: Offer) -> bool:
        """Whether what came is a state of a healthy publication that stands."""
        life = self.evolution.lives[member]
        known = offer.state is not None and 0 < offer.generation <= len(life)
        return known and not life[offer.generation - 1].failed

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
