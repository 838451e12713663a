"""What an island says to the coordinator, and does at its orders; by whatever link connects the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.population.coordination.homes import halves
from orchestrator.population.coordination.messages import Assignment, Offer, Orders
from orchestrator.population.decision import Decision
from orchestrator.population.island.device_faults import BrokenDeviceError
from orchestrator.population.island.island import Island
from orchestrator.population.island.link import Link, LostStateError, unpacked
from orchestrator.population.island.member import MemberState
from orchestrator.population.island.saving import IslandSaving
from orchestrator.population.island.serving import Kept, StateServer
from orchestrator.population.records import Report
from workloads.packing import NoRoomError


class IslandLoop:
    """Trains an island's members in step with the rest of the population.

    Args:
        number: the island's number.
        island: the island.
        synchronous: whether all members of the population wait for one another after each interval.
        link: the way to the coordinator.
    """

    def __init__(self, number: int, island: Island, synchronous: bool, link: Link) -> None:
        self._number, self._island, self._synchronous, self._link = number, island, synchronous, link
        self._server = StateServer(self._call, link.pack, number)
        with self._telling_of_faults():
            self._join()

    @property
    def active(self) -> bool:
        """Whether there is anything left to train."""
        return bool(self._active)

    @property
    def generation(self) -> int:
        """Intervals that each of the island's members has trained."""
        return min((member.generation for member in self._island.members.values()), default=0)

    def turn(self) -> None:
        """Train each active member for one interval.

        Raises:
            BrokenDeviceError: this process can compute nothing more, and has to end.
        """
        with self._telling_of_faults():
            if self._synchronous:
                self._generation()
            elif self._packed:
                self._rounds()
            else:
                self._turns()

    @contextmanager
    def _telling_of_faults(self) -> Iterator[None]:
        """Let the coordinator know why this island ends."""
        try:
            yield
        except BrokenDeviceError as error:
            self._call("broken", self._number, error.faults, error.reason)
            raise

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._link.post(method, *arguments)()

    def _join(self) -> None:
        self._host(self._call("join", self._number))
        # Members that have nothing left to train are there for others to copy, and for a move to other homes.
        while not self._active and not self._call("retire", self._epoch):
            self._host(self._call("join", self._number))

    def _host(self, assignment: Assignment) -> None:
        self._epoch, self._alone = assignment.epoch, assignment.alone
        self._pending: Callable[[], list[Orders]] = lambda: []
        self._server.kept = {}
        self._saving = IslandSaving(self._island, self._server, self._link, assignment.epoch)
        total = assignment.total_generations
        self._active = {m for m, generation in assignment.generations.items() if generation < total}
        self._halves = halves(self._active)
        self._packed = bool(self._active) and self._is_packed(assignment)
        self._island.faults = assignment.faults
        self._island.settle(assignment.configs, assignment.generations)
        for member, path in assignment.files.items():
            self._island.load(member, path)
        if not self._synchronous:
            self._republish(assignment.files)

    def _republish(self, members: Iterable[int]) -> None:
        """Members that go on from a snapshot can be copied before they have trained on."""
        kept = self._keep(members)
        self._server.kept = kept
        if self._alone:
            return
        if offers := self._going_along(kept):
            self._call("offer", self._epoch, offers)
        self._server.start(self._epoch)

    def _is_packed(self, assignment: Assignment) -> bool:
        """Whether this island's members train together; the first island of a study finds out."""
        choice = assignment.engine
        if choice is None:
            intervals = assignment.total_generations - min(assignment.generations.values())
            try:
                choice = self._island.choose_engine(
                    list(assignment.configs.values()), intervals, may_loop=assignment.may_loop
                )
            except NoRoomError as error:
                self._call("abort", str(error))
                self._active = set()
                return False
            self._call("choose_engine", choice)
        self._island.use(choice)
        return choice.engine != "loop"

    def _train(self, members: Iterable[int]) -> list[Report]:
        reports = self._island.train_all(members)
        while self._island.packs.remarks:
            self._call("remark", self._number, self._island.packs.remarks.pop())
        return reports

    # Synchronous: all members together, a barrier after each interval

    def _generation(self) -> None:
        reports = self._train(self._island.members)
        orders: Orders = self._call("publish", self._number, self._epoch, reports)
        if orders.rejoin:
            self._join()
            return
        donors = self._exchange(orders)
        if donors is None:
            self._join()
            return
        self._saving.hold(orders)
        self._carry_out(orders.decisions, donors)
        self._conclude([orders])

    def _carry_out(self, decisions: Sequence[Decision], donors: Mapping[int, MemberState | None]) -> None:
        """Let members go on as decided; where a copy cannot be made, as is decided then."""
        failed = self._island.apply(decisions, donors)
        if failed:
            members = [decision.member for decision in failed]
            self._island.apply(self._call("revise", self._number, self._epoch, members), {})

    def _exchange(self, orders: Orders) -> dict[int, MemberState | None] | None:
        """Published states of parents that live elsewhere; sends what others wait for.

        None: one of them was lost or the population went back, so that all have to join again.
        """
        if orders.send:
            # Offered before anything is collected, else two islands could wait for each other.
            kept = self._keep(orders.send)
            offers = {m: Offer(one.generation, self._link.pack(one.state)) for m, one in kept.items()}
            self._link.post("offer", self._epoch, offers)
        donors = {donor for decision in orders.decisions for donor in decision.donors}
        abroad = sorted(donors - self._island.members.keys())
        if not abroad:
            return {}
        packed = self._call("collect", self._epoch, abroad)
        try:
            return None if packed is None else {m: self._link.unpack(one) for m, one in packed.items()}
        except LostStateError:
            return None

    # Asynchronous, one after the other, in two halves: while one half trains, the answer about the other is
    # on its way

    def _turns(self) -> None:
        for half in self._halves:
            members = [member for member in half if member in self._active]
            reports = self._train(members) if members else []
            # Carried out before these members are published: the copies that are kept are still of what the
            # orders are about, so one of each member is enough.
            if not self._obey():
                return
            if reports:
                self._publish(reports, self._keep(members))

    def _obey(self) -> bool:
        """Carry out the orders about the half that was published last; False where that ended the turn."""
        answers = self._answers()
        if any(orders.rejoin for orders in answers):
            self._join()
            return False
        donors = {member: kept.state for member, kept in self._server.kept.items()}
        for orders in answers:
            self._saving.hold(orders)
            self._carry_out(orders.decisions, {**donors, **unpacked(self._link, orders.states)})
        return not answers or (self._conclude(answers) and self.active)

    # Asynchronous, together: the island's members arrive together, and each is compared with the others as
    # they arrived. All obey before any trains on, so that whoever is copied on this island is still as it
    # was published, and no state is set aside for it.

    def _rounds(self) -> None:
        answers = self._answers()
        if any(orders.rejoin for orders in answers):
            self._join()
            return
        for orders in answers:
            self._saving.hold(orders)
        # Parents at home of members whose other one is not: before anybody goes on.
        mixed = {member for one in answers if one.states for each in one.decisions for member in each.donors}
        kept = {member: self._island.snapshot(member) for member in mixed & self._island.members.keys()}
        at_home = [orders.decisions for orders in answers if not orders.states]
        self._carry_out([decision for decisions in at_home for decision in decisions], {})
        for orders in answers:
            if orders.states:
                self._carry_out(orders.decisions, {**kept, **unpacked(self._link, orders.states)})
        if answers and not self._conclude(answers):
            return
        if members := sorted(self._active):
            reports = self._train(members)
            self._publish(reports, {} if self._alone else self._keep(members))

    def _answers(self) -> list[Orders]:
        """The orders about those that were published last; they are carried out once."""
        pending, self._pending = self._pending, lambda: []
        return pending()

    def _keep(self, members: Iterable[int]) -> dict[int, Kept]:
        """Members as they are published now, apart from their later training."""
        own = self._island.members
        return {m: Kept(own[m].generation, self._island.snapshot(m)) for m in members}

    def _publish(self, reports: Sequence[Report], kept: Mapping[int, Kept]) -> None:
        """Post reports, and keep what is published in place of what was."""
        offers = {} if self._alone else self._going_along(kept)
        self._pending = self._link.post("publish", self._number, self._epoch, reports, offers)
        # Only now: nobody is to get what is not published yet.
        self._server.kept = {**self._server.kept, **kept}

    def _going_along(self, kept: Mapping[int, Kept]) -> dict[int, Offer]:
        """Those publications whose states are small."""
        small = {member: one for member, one in kept.items() if self._link.goes_along(one.state)}
        return {member: Offer(one.generation, self._link.pack(one.state)) for member, one in small.items()}

    def _conclude(self, answers: Sequence[Orders]) -> bool:
        """Save and retire members as ordered; False where the island had to join again."""
        saves: dict[Path, list[int]] = {}
        for orders in answers:
            if orders.snapshot is not None:
                saves.setdefault(orders.snapshot, []).extend(one.member for one in orders.decisions)
        for folder, members in saves.items():
            self._saving.save(folder, members)
        self._active -= {d.member for orders in answers if orders.done for d in orders.decisions}
        if any(orders.failed for orders in answers):
            self._active = set()
        if self._active:
            return True
        self._saving.finish()
        if not self._call("retire", self._epoch):
            self._join()
            return False
        return True
