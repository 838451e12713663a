"""What an island says to the coordinator, and does at its orders; by whatever link connects the two."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator.population.island import Island, MemberState
from orchestrator.population.messages import Assignment, Box, Orders
from orchestrator.population.records import Report
from orchestrator.population.snapshots import member_file
from workloads.packing import NoRoomError


class Link(Protocol):
    """How an island reaches the coordinator, and how states travel between islands."""

    def post(self, method: str, *arguments: Any) -> Callable[[], Any]:
        """Call a method of the coordinator; the result waits for its answer."""
        ...

    def pack(self, state: MemberState | None) -> Box:
        """A box that any island can open."""
        ...

    def unpack(self, box: Box) -> MemberState | None:
        """The state in a box; None where the member had none.

        Raises:
            LostStateError: it was lost with the island that made it.
        """
        ...


class LostStateError(Exception):
    """A published state is gone, with the process that held it."""


@dataclass(frozen=True)
class _Pending:
    """A publication whose answer is still on its way.

    Args:
        answer: waits for the orders, one for each report.
        published: the states of this island's members as they had been published by then.
    """

    answer: Callable[[], Any]
    published: Mapping[int, MemberState | None]


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
        """Train each active member for one interval."""
        if self._synchronous:
            self._generation()
        elif self._packed:
            self._rounds()
        else:
            self._turns()

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._link.post(method, *arguments)()

    def _join(self) -> None:
        assignment: Assignment = self._call("join", self._number)
        self._epoch, self._alone = assignment.epoch, assignment.alone
        self._pending: dict[tuple[int, ...], _Pending] = {}
        self._saving: Callable[[], Any] = lambda: None
        self._published: Mapping[int, MemberState | None] = {}
        total = assignment.total_generations
        self._active = {m for m, generation in assignment.generations.items() if generation < total}
        members = sorted(self._active)
        half = (len(members) + 1) // 2
        self._halves = (tuple(members[:half]), tuple(members[half:]))
        self._island.settle(assignment.configs, assignment.generations)
        for member, path in assignment.files.items():
            self._island.load(member, path)
        if not self._synchronous:
            self._republish(assignment.files)
        self._packed = bool(self._active) and self._is_packed(assignment)

    def _republish(self, members: Iterable[int]) -> None:
        """Members that go on from a snapshot can be copied before they have trained on."""
        self._published = {member: self._island.snapshot(member) for member in members}
        if boxes := self._boxed(self._published):
            self._call("offer", self._epoch, boxes)

    def _is_packed(self, assignment: Assignment) -> bool:
        """Whether this island's members train together; the first island of a study finds out."""
        choice = assignment.engine
        if choice is None:
            intervals = assignment.total_generations - min(assignment.generations.values())
            try:
                choice = self._island.choose_engine(intervals, may_loop=assignment.may_loop)
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
        self._island.apply(orders.decisions, donors)
        self._conclude([orders])

    def _exchange(self, orders: Orders) -> dict[int, MemberState | None] | None:
        """Published states of parents that live elsewhere; sends what others wait for.

        None: one of them was lost or the population went back, so that all have to join again.
        """
        if orders.send:
            # Offered before anything is collected, else two islands could wait for each other.
            boxes = {member: self._link.pack(self._island.snapshot(member)) for member in orders.send}
            self._link.post("offer", self._epoch, boxes)
        parents = {decision.parent for decision in orders.decisions if decision.copies}
        abroad = sorted(parents - self._island.members.keys())
        if not abroad:
            return {}
        boxes = self._call("collect", self._epoch, abroad)
        try:
            return None if boxes is None else {m: self._link.unpack(box) for m, box in boxes.items()}
        except LostStateError:
            return None

    # Asynchronous, one after the other, in two halves: while one half trains, the answer about the other is
    # on its way

    def _turns(self) -> None:
        for half in self._halves:
            pending = self._pending.pop(half, None)
            if pending is not None and not self._obey(pending):
                return
            members = [member for member in half if member in self._active]
            if members:
                reports = self._train(members)
                # A new dict: what is decided holds for what was published by then, whatever comes meanwhile.
                states = {member: self._island.snapshot(member) for member in members}
                self._published = {**self._published, **states}
                self._pending[half] = self._publish(reports, states)

    def _obey(self, pending: _Pending) -> bool:
        """Carry out the orders about members; False where the island had to join again."""
        answers: list[Orders] = pending.answer()
        if any(orders.rejoin for orders in answers):
            self._join()
            return False
        for orders in answers:
            self._island.apply(orders.decisions, {**pending.published, **self._open(orders)})
        return self._conclude(answers)

    # Asynchronous, together: the island's members arrive together, and each is compared with the others as
    # they arrived. All obey before any trains on, so that whoever is copied on this island is still as it
    # was published, and no state is set aside for it.

    def _rounds(self) -> None:
        answers = [orders for pending in self._pending.values() for orders in pending.answer()]
        self._pending = {}
        if any(orders.rejoin for orders in answers):
            self._join()
            return
        at_home = [orders.decisions for orders in answers if not orders.boxes]
        self._island.apply([decision for decisions in at_home for decision in decisions], {})
        for orders in answers:
            if orders.boxes:
                self._island.apply(orders.decisions, self._open(orders))
        if not self._conclude(answers):
            return
        if members := sorted(self._active):
            reports = self._train(members)
            states = {} if self._alone else {member: self._island.snapshot(member) for member in members}
            self._pending[tuple(members)] = self._publish(reports, states)

    def _publish(self, reports: Sequence[Report], states: Mapping[int, MemberState | None]) -> _Pending:
        """Post reports, with the members' states where another island could want them."""
        answer = self._link.post("publish", self._number, self._epoch, reports, self._boxed(states))
        return _Pending(answer, self._published)

    def _boxed(self, states: Mapping[int, MemberState | None]) -> dict[int, Box]:
        """States for other islands, of which there may be none."""
        return {} if self._alone else {member: self._link.pack(state) for member, state in states.items()}

    def _open(self, orders: Orders) -> dict[int, MemberState | None]:
        """The states that came with orders."""
        states: dict[int, MemberState | None] = {}
        for parent, box in orders.boxes.items():
            try:
                states[parent] = self._link.unpack(box)
            except LostStateError:
                states[parent] = None
        return states

    def _conclude(self, answers: Sequence[Orders]) -> bool:
        """Save and retire members as ordered; False where the island had to join again."""
        for folder, group in itertools.groupby(answers, key=lambda orders: orders.snapshot):
            if folder is not None:
                self._save(folder, [decision.member for orders in group for decision in orders.decisions])
        self._active -= {d.member for orders in answers if orders.done for d in orders.decisions}
        if any(orders.failed for orders in answers):
            self._active = set()
        if self._active:
            return True
        self._saving()
        if not self._call("retire", self._epoch):
            self._join()
            return False
        return True

    def _save(self, folder: Path, members: Sequence[int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for member in members:
                self._island.save(member, member_file(folder, member))
        except TypeError as error:
            # A state that cannot be written today cannot be tomorrow: no restart of the island would help.
            self._call("abort", f"the workload's state cannot be saved: {error}")
            return
        generations = {member: self._island.members[member].generation for member in members}
        # The coordinator makes the snapshot valid while this island trains on; what it raised comes up next.
        self._saving()
        self._saving = self._link.post("saved", self._epoch, folder, generations)
