"""What an island says to the coordinator, and does at its orders; by whatever link connects the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from orchestrator.population.island import Island, MemberState
from orchestrator.population.messages import Assignment, Box, Orders
from orchestrator.population.snapshots import member_file


class Link(Protocol):
    """How an island reaches the coordinator, and how states travel between islands."""

    def post(self, method: str, *arguments: Any) -> Callable[[], Any]:
        """Call a method of the coordinator; the result waits for its answer."""
        ...

    def pack(self, state: MemberState | None) -> Box:
        """A box that any island can open."""
        ...

    def unpack(self, box: Box) -> MemberState | None:
        """The state in a box; None where there is none or it was lost with the island that made it."""
        ...


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
        return min(member.generation for member in self._island.members.values())

    def turn(self) -> None:
        """Train each active member for one interval."""
        if self._synchronous:
            self._generation()
        else:
            self._turns()

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._link.post(method, *arguments)()

    def _join(self) -> None:
        assignment: Assignment = self._call("join", self._number)
        self._epoch = assignment.epoch
        self._island.settle(assignment.configs, assignment.generations)
        for member, path in assignment.files.items():
            self._island.load(member, path)
        self._pending: dict[int, Callable[[], Any]] = {}
        self._published: dict[int, MemberState | None] = {}
        total = assignment.total_generations
        self._active = {m for m, generation in assignment.generations.items() if generation < total}

    # Synchronous: all members together, a barrier after each interval

    def _generation(self) -> None:
        reports = [self._island.train(member) for member in self._island.members]
        orders: Orders = self._call("publish", self._number, self._epoch, reports)
        if orders.rejoin:
            self._join()
            return
        self._island.apply(orders.decisions, self._exchange(orders))
        self._conclude(orders, list(self._island.members))

    def _exchange(self, orders: Orders) -> dict[int, MemberState | None]:
        """Published states of all parents that this island's members copy; sends what others wait for."""
        parents = {decision.parent for decision in orders.decisions if decision.copies}
        resident = {
            m: self._island.snapshot(m) for m in (parents | orders.send) & self._island.members.keys()
        }
        if orders.send:
            # Offered before anything is collected, else two islands could wait for each other.
            boxes = {member: self._link.pack(resident[member]) for member in orders.send}
            self._call("offer", self._epoch, boxes)
        abroad = sorted(parents - resident.keys())
        if not abroad:
            return resident
        boxes = self._call("collect", self._epoch, abroad)
        return resident | {member: self._link.unpack(box) for member, box in boxes.items()}

    # Asynchronous: members take turns; while one trains, the answer about another is on its way

    def _turns(self) -> None:
        for member in sorted(self._active):
            if member in self._pending and not self._obey(member):
                return
            if member not in self._active:
                continue
            report = self._island.train(member)
            self._published[member] = self._island.snapshot(member)
            boxes = {member: self._link.pack(self._published[member])}
            self._pending[member] = self._link.post("publish", self._number, self._epoch, [report], boxes)

    def _obey(self, member: int) -> bool:
        """Carry out the orders about a member; False where the island had to join again."""
        orders: Orders = self._pending.pop(member)()
        if orders.rejoin:
            self._join()
            return False
        abroad = {parent: self._link.unpack(box) for parent, box in orders.boxes.items()}
        self._island.apply(orders.decisions, self._published | abroad)
        self._conclude(orders, [member])
        return True

    def _conclude(self, orders: Orders, members: Sequence[int]) -> None:
        """Save and retire members as ordered."""
        if orders.snapshot is not None:
            self._save(orders.snapshot, members)
        if orders.done:
            self._active -= set(members)

    def _save(self, folder: Path, members: Sequence[int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for member in members:
            self._island.save(member, member_file(folder, member))
        generations = {member: self._island.members[member].generation for member in members}
        self._call("saved", self._epoch, folder, generations)
