"""The coordinator: what all islands of a population study agree on.

It knows which islands take part, lets them wait for one another, and answers for decisions, snapshots and the
journal. A plain asyncio object: on a cluster it runs as one Ray actor, in tests inside an event loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from orchestrator.population.coordination.barrier import Barrier
from orchestrator.population.coordination.conclusion import Conclusion
from orchestrator.population.coordination.decisions import END, REJOIN, Decisions, Observer
from orchestrator.population.coordination.exchange import Exchange
from orchestrator.population.coordination.homes import Homes
from orchestrator.population.coordination.hosting import Hosting
from orchestrator.population.coordination.membership import Membership
from orchestrator.population.coordination.messages import (
    Assignment,
    Offer,
    Orders,
    Outcome,
    PackedState,
    Plan,
)
from orchestrator.population.coordination.rollback import Rollback
from orchestrator.population.coordination.writing import PopulationJournal, first_events
from orchestrator.population.decision import Decision
from orchestrator.population.evolution import Evolution
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.island.device_faults import Fault, FaultRecord, fault_event
from orchestrator.population.records import Report
from orchestrator.population.snapshots.manifests import MANIFEST
from orchestrator.population.snapshots.resuming import settle
from orchestrator.population.snapshots.saving import Saving
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, read_journal
from workloads.packing import EngineChoice


class Coordinator:
    """One population study's centre.

    Args:
        evolution: the population, newly born.
        plan: the study's course.
        run: the run directory; a journal that is already there is continued from its newest valid snapshot.
        islands: number of islands that it begins with.
        clock: seconds since the epoch, for the journal and for when to save.
        observer: told of every decided interval, for metrics.
        grace: seconds until members of an island that is gone move to the others.
        least: it begins with whichever islands come first, and not with fewer than these; 0: it begins with
            islands 0 to ``islands - 1``.
    """

    def __init__(
        self,
        evolution: Evolution,
        plan: Plan,
        run: RunDirectory,
        islands: int,
        clock: Callable[[], float],
        observer: Observer = lambda *_: None,
        grace: float = 60.0,
        least: int = 0,
    ) -> None:
        self._evolution, self._plan, self._run = evolution, plan, run
        self._engine = plan.engine
        self._membership = membership = Membership(range(islands))
        self._homes = homes = Homes(evolution.size, range(islands))
        self._exchange = exchange = Exchange(membership)
        self._excused: Counter[int] = Counter()
        # Locked before it is read, so that nobody else writes in between.
        self._journal = journal = PopulationJournal(run, clock)
        past = read_journal(run.journal)
        self._saving = saving = Saving(evolution, plan, run, journal, homes.islands, clock)
        self._decisions = Decisions(
            evolution, plan, homes.islands, membership, exchange, saving, journal, observer
        )
        self._barrier = Barrier(membership, exchange, self._decisions)
        self._rollback = Rollback(evolution.size, saving, membership, exchange, self._barrier)
        self._hosting = Hosting(homes, membership, saving, self._rollback, self._note, grace, least)
        self._conclusion = Conclusion(evolution, saving, run, journal)
        self._faults = FaultRecord.from_events(past)
        if past:
            self._resume(past)
        else:
            self._journal.write(*first_events(plan.header, evolution.born))

    # What islands call

    async def join(self, island: int) -> Assignment:
        """Take part; after a restart members go back to what was saved of them.

        Answers when all islands are there, or no more come within the time of grace: without a common start
        a cheap study would be over on one of them before the next is up. An island that comes later waits
        for the next snapshot, from which all members are spread anew.
        """
        returned = island in self._homes.blocks and self._membership.has(island)
        if returned and self._membership.complete and not self._saving.over:
            if self._plan.synchronous:
                self._rollback.everybody()
            else:
                self._rollback.island(self._homes.blocks[island])
        begun = False
        while not begun and self._membership.failure is None and not self._saving.over:
            self._hosting.joins(island)
            epoch = self._membership.epoch
            await self._membership.until(epoch, lambda: self._saving.over or self._may_begin(island))
            begun = self._membership.has(island, epoch) and self._may_begin(island)
        return self._assignment(self._homes.blocks[island] if begun and not self._saving.over else ())

    async def choose_engine(self, choice: EngineChoice) -> None:
        """Learn from the first island how all of them are to train."""
        if self._engine is None:
            self._engine = choice
            self._journal.write(choice.event())
        self._membership.wake()

    async def remark(self, island: int, text: str) -> None:
        """Write down what people should know about an island's training."""
        self._note(island, text)

    async def broken(self, island: int, faults: Sequence[Fault], reason: str) -> None:
        """Learn why an island's process ends, or has ended (see :mod:`..island.device_faults`)."""
        # The member that caused these deaths counts as failed now, and cannot cause another.
        deaths = self._faults.note(faults)
        self._excused[island] += deaths
        self._journal.write(fault_event(island, faults, reason, condemned=deaths > 0))
        if not faults and self._engine is None:
            await self.choose_engine(EngineChoice("loop", f"trying the engines broke the device: {reason}"))

    async def publish(
        self, island: int, epoch: int, reports: Sequence[Report], offers: Mapping[int, Offer] | None = None
    ) -> Orders | list[Orders]:
        """Publish members that have each trained an interval, and learn how they go on.

        Synchronous studies: all members of the island; answers when every island has published, with orders
        for all of them together. Asynchronous ones: some members, and those of their states that are
        small enough to go along; each is decided on alone, in turn, and the orders, one for each report, come
        once the states that they need have come.
        """
        if not self._membership.has(island, epoch):
            return REJOIN if self._plan.synchronous else [REJOIN]
        if not self._plan.synchronous:
            self._exchange.hear(self._homes.blocks[island])
            self._exchange.put(offers or {})
            orders = [END] * len(reports)
            with self._membership.while_there_is_room():
                orders = await self._decisions.alone(epoch, reports)
            return orders
        answer = END
        with self._membership.while_there_is_room():
            answer = await self._barrier.publish(island, epoch, reports)
        return answer

    async def offer(self, epoch: int, offers: Mapping[int, Offer]) -> None:
        """Hand over states that the orders asked for, or that others may want soon."""
        if epoch == self._membership.epoch:
            self._exchange.put(offers)

    async def wanted(self, island: int, epoch: int) -> frozenset[int] | None:
        """Wait until other islands want states of this one's members; None: they never will again."""
        hosted = self._homes.blocks.get(island, ())
        ready = await self._membership.until(
            epoch, lambda: self._saving.over or bool(self._exchange.wanted(hosted))
        )
        return self._exchange.wanted(hosted) if ready and not self._saving.over else None

    async def supply(self, epoch: int, offers: Mapping[int, Offer]) -> None:
        """Send states that are wanted, each of the member's latest publication."""
        if epoch == self._membership.epoch:
            self._exchange.supply(offers)

    async def revise(self, island: int, epoch: int, members: Sequence[int]) -> list[Decision]:
        """Learn that copies could not be made, and say how their members go on instead."""
        if not self._membership.has(island, epoch):
            return []
        return [self._decisions.give_up(member) for member in members]

    async def collect(self, epoch: int, members: Sequence[int]) -> dict[int, PackedState] | None:
        """Wait for states of members that live elsewhere; None where the study failed or went back."""
        if await self._membership.until(epoch, lambda: self._exchange.has(members)):
            offers = {member: self._exchange.at_hand(member) for member in members}
            return {member: offer.state for member, offer in offers.items() if offer is not None}
        return None

    async def saved(
        self, epoch: int, folder: Path, generations: Mapping[int, int], empty: Collection[int] = ()
    ) -> None:
        """Learn that members have been written to a snapshot's folder; the last one makes it valid.

        ``empty``: members that had no state.
        """
        if epoch != self._membership.epoch or self._membership.failure is not None:
            return
        newest = self._saving.newest
        with self._membership.while_there_is_room(folder / MANIFEST):
            self._saving.add(folder, generations, empty)
        if self._saving.newest is not newest and not self._saving.stopping:
            self._hosting.take_in_newcomers()
        self._membership.wake()

    async def retire(self, epoch: int) -> bool:
        """Wait until the last snapshot is valid; False: the population went back, join again.

        If an island left early, a later crash could not roll everyone back to the snapshot.
        """
        closed = await self._membership.until(epoch, lambda: self._saving.over)
        return closed or self._membership.failure is not None

    # What the driver calls

    async def stop(self) -> None:
        """End every member's training after its present interval, with a snapshot."""
        self._saving.stop()

    async def abort(self, reason: str) -> None:
        """End the study as failed; islands that wait are let go."""
        self._membership.fail(reason)

    async def gone(self, island: int) -> None:
        """Learn that an island's process has died; where none takes its place in time, its members move."""
        self._hosting.leaves(island)

    async def outcome(self) -> Outcome:
        """How things stand."""
        return self._conclusion.outcome(self._membership.failure)

    async def conclude(self, tests: Sequence[Mapping[str, float]]) -> None:
        """Write the study's last line: its models and their metrics on held-out data.

        Args:
            tests: of each model that :meth:`outcome` names, in that order; fewer where they are not known.
        """
        self._conclusion.write(tests)

    async def excused(self, island: int) -> int:
        """How many of an island's deaths, not yet asked for, are not its own fault."""
        return self._excused.pop(island, 0)

    async def halt(self, reason: str) -> None:
        """Write that the study ended early."""
        self._conclusion.write_stop(reason)

    def close(self) -> None:
        """Let another process take over the run directory."""
        self._journal.close()

    # The population's course

    def _resume(self, past: Sequence[Event]) -> None:
        history = PopulationHistory.from_events(past)
        self._engine = history.engine or self._engine
        self._evolution.replay(history)
        # The driver has said what there is to say, and read the files too.
        settle(self._run, past, history, thorough=False)
        if history.final is not None and self._saving.take_up():
            self._conclusion.written = True
            return
        for line in self._saving.take_up_saves(past):
            self._note(0, line)
        self._saving.go_back(range(self._evolution.size))

    def _note(self, island: int, text: str) -> None:
        self._journal.write({"event": "remark", "island": island, "text": text})

    def _may_begin(self, island: int) -> bool:
        """Whether an island that has joined may train.

        While the first island tries the engines nobody else does, who would disturb its clock.
        """
        ready = self._membership.complete and island in self._homes.blocks
        return ready and (self._engine is not None or island == min(self._homes.blocks))

    def _assignment(self, members: Sequence[int]) -> Assignment:
        return Assignment(
            epoch=self._membership.epoch,
            configs={member: self._evolution.config(member) for member in members},
            generations={member: self._evolution.generation(member) for member in members},
            total_generations=self._plan.generations,
            files=self._saving.files(members),
            engine=self._engine,
            may_loop=self._plan.may_loop,
            alone=len(self._homes.blocks) == 1,
            faults=self._faults.known.of(members),
        )
