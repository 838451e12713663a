"""The coordinator: what all islands of a population study agree on.

It holds the population's past, applies the rules, writes the journal and makes snapshots valid. A plain
asyncio object: on a cluster it runs as one Ray actor, in tests inside an event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.journal import Event, Journal, read_journal
from orchestrator.population.champions import Champions
from orchestrator.population.device_faults import Fault, FaultRecord, fault_event
from orchestrator.population.evolution import Evolution
from orchestrator.population.exchange import Exchange
from orchestrator.population.history import PopulationHistory
from orchestrator.population.meeting import Meeting
from orchestrator.population.messages import Assignment, Box, Offer, Orders, Outcome, Plan
from orchestrator.population.records import Decision, MemberInterval, Rank, Report, final_event
from orchestrator.population.snapshots import Publication, Snapshot, SnapshotShelf, best_file, member_file
from orchestrator.run_directory import RunDirectory
from workloads.packing import EngineChoice

REJOIN = Orders(rejoin=True)
END = Orders(failed=True)


class Coordinator:
    """One population study's centre.

    Args:
        evolution: the population, newly born.
        plan: the study's course.
        run: the run directory; a journal that is already there is continued from its newest valid snapshot.
        islands: number of islands; island ``k`` hosts the ``k``-th of as many equal blocks of members.
        clock: seconds since the epoch, for the journal.
        observer: told of every decided interval, for metrics.
    """

    def __init__(
        self,
        evolution: Evolution,
        plan: Plan,
        run: RunDirectory,
        islands: int,
        clock: Callable[[], float],
        observer: Callable[[Evolution, Sequence[MemberInterval]], None] = lambda *_: None,
    ) -> None:
        self._evolution, self._plan, self._run = evolution, plan, run
        self._clock, self._observer = clock, observer
        blocks = np.array_split(np.arange(evolution.size), islands)
        self._hosted = [tuple(int(member) for member in block) for block in blocks]
        self._home = {member: island for island, block in enumerate(self._hosted) for member in block}
        self._engine = plan.engine
        self._meeting = Meeting(islands)
        self._reports: dict[int, Sequence[Report]] = {}
        self._answers: dict[int, Orders] = {}
        self._exchange = Exchange(self._meeting)
        together = {m: 0 if plan.synchronous else home for m, home in self._home.items()}
        self._champions = Champions(plan.snapshot_interval, together)
        self._improved: set[Publication] = set()
        self._shelf = SnapshotShelf(run.snapshots, evolution.size, plan.generations, plan.keep_snapshots)
        self._stop_folder: Path | None = None
        self._closed = self._concluded = False
        self._excused: Counter[int] = Counter()
        past = read_journal(run.journal)
        self._journal = Journal(run.journal)
        self._faults = FaultRecord.from_events(past)
        self._restored = self._resume(past) if past else None
        if not past:
            self._begin()

    # What islands call

    async def join(self, island: int) -> Assignment:
        """Take part; after a restart members go back to the newest valid snapshot.

        Answers when all islands are there: without a common start a cheap study would be over on one of them
        before the next is up.
        """
        if self._meeting.has(island) and self._meeting.complete and not self._closed:
            self._fall_back(island)
        begun = False
        while not begun and self._meeting.failure is None and not self._closed:
            epoch = self._meeting.arrive(island)
            begun = await self._meeting.until(epoch, lambda: self._may_begin(island))
        return self._assignment(self._hosted[island] if begun else ())

    async def choose_engine(self, choice: EngineChoice) -> None:
        """Learn from the first island how all of them are to train."""
        if self._engine is None:
            self._engine = choice
            self._write(choice.event())
        self._meeting.tell()

    async def remark(self, island: int, text: str) -> None:
        """Write down what people should know about an island's training."""
        self._write({"event": "remark", "island": island, "text": text})

    async def broken(self, island: int, faults: Sequence[Fault], reason: str) -> None:
        """Learn why an island's process ends: its device is broken (see :mod:`.device_faults`)."""
        condemned = self._faults.note(faults)
        if condemned:
            # Both of its deaths were the member's fault, which will not cause another.
            self._excused[island] += 2
        self._write(fault_event(island, faults, reason, condemned))
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
        if not self._meeting.has(island, epoch):
            return REJOIN if self._plan.synchronous else [REJOIN]
        if not self._plan.synchronous:
            self._exchange.hear(self._hosted[island])
            self._exchange.put(offers or {})
            return await self._decide_alone(island, epoch, reports)
        if self._meeting.failure is not None:
            return END
        self._reports[island] = reports
        if len(self._reports) == len(self._hosted):
            self._close_generation()
        if await self._meeting.until(epoch, lambda: island in self._answers):
            return self._answers.pop(island)
        return END if self._meeting.failure is not None else REJOIN

    async def offer(self, epoch: int, offers: Mapping[int, Offer]) -> None:
        """Hand over states that the orders asked for, or that others may want soon."""
        if epoch == self._meeting.epoch:
            self._exchange.put(offers)

    async def wanted(self, island: int, epoch: int) -> frozenset[int] | None:
        """Wait until other islands want states of this one's members; None: they never will again."""
        hosted = self._hosted[island]
        ready = await self._meeting.until(epoch, lambda: self._closed or bool(self._exchange.wanted(hosted)))
        return self._exchange.wanted(hosted) if ready and not self._closed else None

    async def supply(self, epoch: int, offers: Mapping[int, Offer]) -> None:
        """Send states that are wanted, each of the member's latest publication."""
        if epoch == self._meeting.epoch:
            self._exchange.supply(offers)

    async def revise(self, island: int, epoch: int, members: Sequence[int]) -> list[Decision]:
        """Learn that copies could not be made, and say how their members go on instead."""
        if not self._meeting.has(island, epoch):
            return []
        return [self._give_up(member) for member in members]

    async def collect(self, epoch: int, members: Sequence[int]) -> dict[int, Box] | None:
        """Wait for states of members that live elsewhere; None where the study failed or went back."""
        if await self._meeting.until(epoch, lambda: self._exchange.has(members)):
            offers = {member: self._exchange.at_hand(member) for member in members}
            return {member: offer.box for member, offer in offers.items() if offer is not None}
        return None

    async def saved(
        self, epoch: int, folder: Path, generations: Mapping[int, int], empty: Collection[int] = ()
    ) -> None:
        """Learn that members have been written to a snapshot's folder; the last one makes it valid.

        Of ``empty`` members there was no state.
        """
        if epoch != self._meeting.epoch or self._meeting.failure is not None:
            return
        self._shelf.add(folder, generations, empty)
        for complete in self._shelf.complete():
            # The manifest promises that the journal holds these generations, so the journal is synced first.
            self._journal.sync()
            self._restored = self._shelf.commit(complete, self._rank)
            path = str(complete.relative_to(self._run.path))
            self._write({"event": "snapshot", "generation": max(self._restored.generations), "path": path})
            self._closed |= complete in (self._stop_folder, self._shelf.folder(self._plan.generations))
        self._meeting.tell()

    async def retire(self, epoch: int) -> bool:
        """Wait until the last snapshot is valid; False: the population went back, join again.

        An island that left earlier would be missed by one that dies now and needs everybody to go back.
        """
        closed = await self._meeting.until(epoch, lambda: self._closed)
        return closed or self._meeting.failure is not None

    # What the driver calls

    async def stop(self) -> None:
        """End every member's training after its present interval, with a snapshot."""
        if self._stop_folder is None:
            trained = sum(map(len, self._evolution.lives))
            self._stop_folder = self._shelf.stop_folder(trained)

    async def abort(self, reason: str) -> None:
        """End the study as failed; islands that wait are let go."""
        self._meeting.fail(reason)

    async def outcome(self) -> Outcome:
        """How things stand."""
        best, weights = self._best()
        return Outcome(
            failure=self._meeting.failure,
            finished=self._evolution.finished,
            concluded=self._concluded,
            best=None if best is None else best.member,
            config=None if best is None else dict(best.config),
            weights=weights,
            snapshot=self._restored,
        )

    async def conclude(self, test: Mapping[str, float]) -> None:
        """Write the study's last line: its best member and that member's metrics on held-out data."""
        best, weights = self._best()
        if best is None or weights is None:
            raise RuntimeError("a study is concluded after its last snapshot")
        self._write(final_event(best, test, weights.relative_to(self._run.path)))
        self._journal.sync()
        self._concluded = True

    async def excused(self, island: int) -> int:
        """How many of an island's deaths, not yet asked for, are not its own fault."""
        return self._excused.pop(island, 0)

    def _best(self) -> tuple[MemberInterval | None, Path | None]:
        """The best publication so far and its weights; those of the newest snapshot, once there is one."""
        if self._restored is None:
            return self._evolution.best(), None
        if self._restored.best is not None:
            member, generation = self._restored.best
            weights = best_file(self._restored.path, self._restored.best)
            return self._evolution.lives[member][generation - 1], weights
        # Written by an earlier version, which kept each member's latest weights alone.
        latest = [life[-1] for life in self._evolution.lives if life and not life[-1].failed]
        best = min(latest, key=lambda interval: interval.rank, default=None)
        return best, None if best is None else member_file(self._restored.path, best.member)

    def _rank(self, publication: Publication, went_on: bool) -> Rank | None:
        """Where a publication stands; None if it failed, or its member had to but did not go on so."""
        member, generation = publication
        interval = self._evolution.lives[member][generation - 1]
        elsewhere = interval.copies or interval.reborn
        return None if interval.failed or (went_on and elsewhere) else interval.rank

    async def halt(self, reason: str) -> None:
        """Write that the study ended early."""
        self._write({"event": "stopped", "reason": reason})
        self._journal.sync()

    def close(self) -> None:
        """Let another process take over the run directory."""
        self._journal.close()

    # The population's course

    def _begin(self) -> None:
        born = [
            {"event": "born", "member": member, "config": dict(config)}
            for member, config in enumerate(self._evolution.born)
        ]
        self._write({"event": "start", **self._plan.header}, *born)

    def _resume(self, past: Sequence[Event]) -> Snapshot | None:
        history = PopulationHistory.from_events(past)
        self._engine = history.engine or self._engine
        self._evolution.replay(history)
        if history.final is not None:
            self._concluded = True
            return self._shelf.newest()
        return self._go_back(range(self._evolution.size))

    def _go_back(self, members: Sequence[int]) -> Snapshot | None:
        """Take members back to the newest valid snapshot, or to their birth."""
        newest = self._shelf.newest()
        generations = [self._evolution.generation(member) for member in range(self._evolution.size)]
        for member in members:
            generations[member] = newest.generations[member] if newest else 0
        self._evolution.rewind(generations, restored=members)
        self._shelf.go_back(members, newest)
        # Islands that stay have yet to be told of theirs.
        self._improved = {publication for publication in self._improved if publication[0] not in members}
        saved = None if newest is None else newest.best
        lives = self._evolution.lives
        self._champions.restart(lives, None if saved is None else lives[saved[0]][saved[1] - 1])
        self._write({"event": "resume", "generations": generations})
        return newest

    def _fall_back(self, island: int) -> None:
        """An island died and is back: its members, or in a synchronous study all, go on from a snapshot."""
        if not self._plan.synchronous:
            self._restored = self._go_back(self._hosted[island])
            # They are of lives that count no more.
            self._exchange.lose(self._hosted[island])
            self._exchange.hear(self._hosted[island])
            return
        self._restored = self._go_back(range(self._evolution.size))
        self._reports, self._answers = {}, {}
        self._exchange.clear()
        self._meeting.disperse()

    def _may_begin(self, island: int) -> bool:
        """Whether an island that has arrived may train.

        While the first island tries the engines nobody else does, who would disturb its clock.
        """
        return self._meeting.complete and (self._engine is not None or island == 0)

    def _assignment(self, members: Sequence[int]) -> Assignment:
        files = {}
        if self._restored is not None:
            files = {m: self._restored.files[m] for m in members if self._restored.generations[m]}
        return Assignment(
            epoch=self._meeting.epoch,
            configs={member: self._evolution.config(member) for member in members},
            generations={member: self._evolution.generation(member) for member in members},
            total_generations=self._plan.generations,
            files=files,
            engine=self._engine,
            may_loop=self._plan.may_loop,
            alone=len(self._hosted) == 1,
            faults=self._faults.known.of(members),
        )

    def _close_generation(self) -> None:
        reports = [report for island in sorted(self._reports) for report in self._reports[island]]
        self._reports = {}
        self._exchange.clear()
        self._answers = self._decide_together(reports)
        self._meeting.tell()

    def _decide_together(self, reports: Sequence[Report]) -> dict[int, Orders]:
        """Orders for every island."""
        intervals = self._decide(reports)
        decisions = [interval.decision for interval in intervals]
        return {island: self._orders(island, decisions) for island in range(len(self._hosted))}

    async def _decide_alone(self, island: int, epoch: int, reports: Sequence[Report]) -> list[Orders]:
        """Orders about each of some members of one island.

        Until the state that it copies has come, a member is on record as keeping its weights.
        """
        if self._meeting.failure is not None:
            return [END]
        intervals = self._decide(reports)
        # Taken before anybody waits: what is at hand later may be of another publication.
        offers = [self._at_hand(interval.decision) for interval in intervals]
        for interval, offer in zip(intervals, offers, strict=True):
            if offer is None and self._is_abroad(interval.decision):
                self._exchange.want(interval.decision.parent)
        orders = (self._order(island, epoch, *one) for one in zip(intervals, offers, strict=True))
        return list(await asyncio.gather(*orders))

    async def _order(self, island: int, epoch: int, interval: MemberInterval, offer: Offer | None) -> Orders:
        """How one member goes on, once the state that it copies has come."""
        decision = interval.decision
        if not self._is_abroad(decision):
            return self._orders(island, [decision])
        if offer is None:
            offer = await self._exchange.fetch(epoch, decision.parent)
            if not self._is_latest(interval):
                return REJOIN  # its island died meanwhile; nobody hears this
            decision, offer = self._copy(decision, offer)
        return self._orders(island, [decision], {} if offer is None else {decision.parent: offer.box})

    def _decide(self, reports: Sequence[Report]) -> list[MemberInterval]:
        with self._failing_all():
            intervals = self._evolution.decide(reports, alone=not self._plan.synchronous)
            self._record(reports, intervals)
            self._improved |= self._champions.improved(intervals)
        if self._evolution.extinct():
            last = intervals[-1]
            reason = last.failure or "its objective was not finite"
            self._meeting.fail(f"every member has failed; member {last.member}: {reason}")
        return intervals

    @contextmanager
    def _failing_all(self) -> Iterator[None]:
        """Whatever is raised here reaches one island alone; the others must not wait for its answer."""
        try:
            yield
        except Exception as error:
            self._meeting.fail(f"deciding about members failed: {type(error).__name__}: {error}")
            raise

    def _is_abroad(self, decision: Decision) -> bool:
        """Whether a member copies one of another island."""
        return decision.copies and self._home[decision.parent] != self._home[decision.member]

    def _is_latest(self, interval: MemberInterval) -> bool:
        """Whether a member has neither gone back nor trained on since an interval."""
        life = self._evolution.lives[interval.member]
        return bool(life) and life[-1] is interval

    def _at_hand(self, decision: Decision) -> Offer | None:
        """The very publication that a decision is about, if it has come."""
        if not self._is_abroad(decision):
            return None
        offer = self._exchange.at_hand(decision.parent)
        return offer if offer is not None and offer.generation == decision.parent_generation else None

    def _copy(self, decision: Decision, offer: Offer | None) -> tuple[Decision, Offer | None]:
        """The final decision on a member that copies from another island, and what it copies.

        The parent may have trained on: what came, and goes on record, may be of a later publication.
        """
        life = self._evolution.lives[decision.parent]
        number = offer.generation if offer is not None and offer.box is not None else 0
        if offer is None or not 0 < number <= len(life) or life[number - 1].failed:
            return self._give_up(decision.member), None
        with self._failing_all():
            if number != decision.parent_generation:
                decision = self._evolution.revise(decision.member, (decision.parent, number))
            self._write(decision.to_event())
        return decision, offer

    def _give_up(self, member: int) -> Decision:
        """How a member goes on whose copy could not be made."""
        parent = self._evolution.lives[member][-1].decision.parent
        with self._failing_all():
            decision = self._evolution.revise(member)
            self._write(decision.to_event(f"the state of member {parent} could not be had"))
        return decision

    def _record(self, reports: Sequence[Report], intervals: Sequence[MemberInterval]) -> None:
        self._write(*(self._on_record(interval).to_event() for interval in intervals))
        for report in (report for report in reports if report.traceback):
            with self._run.failures.open("a") as file:
                file.write(f"member {report.member}, generation {report.generation}\n{report.traceback}\n")
        self._observer(self._evolution, intervals)

    def _on_record(self, interval: MemberInterval) -> MemberInterval:
        """The interval as it is written: its member keeps its weights until the state that it copies came."""
        decision = interval.decision
        if self._plan.synchronous or not self._is_abroad(decision) or self._at_hand(decision) is not None:
            return interval
        keep = Decision(interval.member, interval.generation, interval.member, interval.config)
        return interval.with_decision(keep)

    def _orders(
        self, island: int, decisions: Sequence[Decision], boxes: Mapping[int, Box] | None = None
    ) -> Orders:
        own = tuple(decision for decision in decisions if self._home[decision.member] == island)
        if self._meeting.failure is not None:
            return END
        generation = own[0].generation
        send = {
            d.parent
            for d in decisions
            if self._is_abroad(d) and self._home[d.parent] == island and self._plan.synchronous
        }
        return Orders(
            decisions=own,
            send=frozenset(send),
            boxes=boxes or {},
            snapshot=self._snapshot_folder(generation),
            best={d.member: self._champions.span(generation) for d in own if self._is_best(d)},
            done=generation == self._plan.generations or self._stop_folder is not None,
        )

    def _is_best(self, decision: Decision) -> bool:
        """Whether a publication is the best so far; asked once about each."""
        publication = decision.member, decision.generation
        found = publication in self._improved
        self._improved.discard(publication)
        return found

    def _snapshot_folder(self, generation: int) -> Path | None:
        """Where members that have trained so many intervals are to be saved; None: not now."""
        if self._stop_folder is not None and generation < self._plan.generations:
            return self._stop_folder
        due = generation == self._plan.generations or generation % self._plan.snapshot_interval == 0
        return self._shelf.folder(generation) if due else None

    def _write(self, *events: Mapping[str, Any]) -> None:
        self._journal.append(*({**event, "time": self._clock()} for event in events))
