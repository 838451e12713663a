"""An island as a Ray Tune trial: publishes to the coordinator, sends and fetches states by the object store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from ray import tune

from orchestrator.assemble import assemble_population
from orchestrator.cluster import prepare_device
from orchestrator.population.island import Island, MemberState
from orchestrator.population.messages import Assignment, Box, Orders
from orchestrator.population.ray_coordinator import NAMESPACE
from orchestrator.population.snapshots import member_file
from workloads.state import to_host

STEP_SECONDS = 1.0
"""Training between two returns to Ray Tune: long against its bookkeeping, short enough to be watched."""


class PopulationIsland(tune.Trainable):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Hosts one block of a population's members.

    Config: ``island`` (its number). Parameters: ``study`` (the resolved configuration), ``coordinator`` (its
        name).
    """

    def setup(self, config: dict[str, Any], study: Mapping[str, Any], coordinator: str) -> None:
        self._number: int = config["island"]
        device = prepare_device(study["cluster"])
        parts = assemble_population(study)
        self._island = Island(parts.workload, study["population"]["interval"], study["seed"], device)
        self._synchronous: bool = study["population"]["synchronous"]
        self._coordinator = ray.get_actor(coordinator, namespace=NAMESPACE)
        self._join()

    def step(self) -> dict[str, Any]:
        """Train for about a second."""
        until = time.monotonic() + STEP_SECONDS
        while self._active and time.monotonic() < until:
            if self._synchronous:
                self._generation()
            else:
                self._turns()
        generations = [member.generation for member in self._island.members.values()]
        return {"generation": min(generations), "done": not self._active}

    def __repr__(self) -> str:
        return f"island-{self._number}"

    def _join(self) -> None:
        assignment: Assignment = ray.get(self._coordinator.join.remote(self._number))
        self._epoch = assignment.epoch
        self._island.settle(assignment.configs, assignment.generations)
        for member, path in assignment.files.items():
            self._island.load(member, path)
        self._pending: dict[int, Any] = {}
        self._published: dict[int, MemberState | None] = {}
        total = assignment.total_generations
        self._active = {m for m, generation in assignment.generations.items() if generation < total}

    # Synchronous: all members together, a barrier after each interval

    def _generation(self) -> None:
        reports = [self._island.train(member) for member in self._island.members]
        publication = self._coordinator.publish.remote(self._number, self._epoch, reports)
        orders: Orders = ray.get(publication)
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
            boxes = {member: _box(resident[member]) for member in orders.send}
            ray.get(self._coordinator.offer.remote(self._epoch, boxes))
        abroad = sorted(parents - resident.keys())
        if not abroad:
            return resident
        boxes = ray.get(self._coordinator.collect.remote(self._epoch, abroad))
        return resident | {member: _open(box) for member, box in boxes.items()}

    # Asynchronous: members take turns; while one trains, the answer about another is on its way

    def _turns(self) -> None:
        for member in sorted(self._active):
            if member in self._pending and not self._obey(member):
                return
            if member not in self._active:
                continue
            report = self._island.train(member)
            self._published[member] = self._island.snapshot(member)
            boxes = {member: _box(self._published[member])}
            self._pending[member] = self._coordinator.publish.remote(
                self._number, self._epoch, [report], boxes
            )

    def _obey(self, member: int) -> bool:
        """Carry out the orders about a member; False where the island had to join again."""
        orders: Orders = ray.get(self._pending.pop(member))
        if orders.rejoin:
            self._join()
            return False
        abroad = {parent: _open(box) for parent, box in orders.boxes.items()}
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
        ray.get(self._coordinator.saved.remote(self._epoch, folder, generations))


def _box(state: MemberState | None) -> Box:
    """A state on its way: a reference to it, in a list so that Ray passes the reference and not the value."""
    return None if state is None else [ray.put(to_host(state))]


def _open(box: Box) -> MemberState | None:
    """The state in a box; None where it was lost with the island that made it."""
    if box is None:
        return None
    try:
        state: MemberState = ray.get(box[0])
    except ray.exceptions.ObjectLostError:
        return None
    return state
