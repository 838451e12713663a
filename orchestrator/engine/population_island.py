"""An island as one of the engine's workers; states travel through Ray's object store."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray

from orchestrator.config.workload import prepare_workload
from orchestrator.engine.cluster import Share, neighbours, prepare_device
from orchestrator.engine.island_gang import IslandGang, IslandPeers
from orchestrator.engine.node import once_on_node
from orchestrator.engine.worker import STEP_SECONDS, Worker
from orchestrator.population.assemble import change_at_birth, trained_workload
from orchestrator.population.coordination.messages import PackedState
from orchestrator.population.island.gang import GangWorkload
from orchestrator.population.island.island import Island
from orchestrator.population.island.link import LostStateError
from orchestrator.population.island.loop import IslandLoop
from orchestrator.population.island.member import MemberState
from orchestrator.population.island.training_mark import TrainingMark
from orchestrator.run.directory import RunDirectory
from workloads.contract import Workload
from workloads.state import from_parcel, state_bytes, to_parcel

INLINE_BYTES = 32 * 1024
"""A state up to this size goes along with a message; the object store would take it milliseconds more."""


class PopulationIsland(Worker):
    """Hosts one block of a population's members."""

    noun = "island"

    def prepare(self, study: Mapping[str, Any], run: RunDirectory) -> None:
        workers: int = study["population"]["workers"]
        self._peers = None
        if workers > 1:
            gang = IslandGang(study, self._workplace, self._scratch, self._number, self._workers)
            self._peers = IslandPeers(gang)
        # Copies and snapshots need it; its seconds belong to the start and not to the first generation.
        importlib.import_module("torch")
        share = Share.of(study["cluster"], "island")
        here = neighbours(share, self._workers * workers)
        device = self.own(prepare_device(share, study["deterministic"], here))
        workload, interval = trained_workload(study)
        once_on_node(study, self._workplace, lambda: prepare_workload(workload))
        if self._peers is not None:
            self._peers.connect()
        trained: Workload = workload if self._peers is None else GangWorkload(workload, self._peers, workers)
        change = change_at_birth(study)
        folder = run.tune / "training" / self._coordinator_name.replace(":", "-")
        mark = folder / f"island-{self._number}.json"
        limits = study["population"]
        self._mark = TrainingMark(mark, limits["time_limit"], limits["memory_limit"])
        self._mark.begin()
        names, watch = self._name_members, self._mark.around
        self._island = Island(trained, interval, study["seed"], device, names, change, watch)
        self._synchronous: bool = study["population"]["synchronous"]
        self._loop: IslandLoop | None = None

    def step(self) -> dict[str, Any]:
        """Train for about a second; the first time, join the population before."""
        if self._loop is None:
            link = _ObjectStoreLink(self._coordinator)
            if faults := self._mark.left():
                link.post("broken", self._number, faults, faults[0].reason)()
            self._loop = IslandLoop(self._number, self._island, self._synchronous, link)
        until = time.monotonic() + STEP_SECONDS
        while self._loop.active and time.monotonic() < until:
            self._loop.turn()
        return {"generation": self._loop.generation, "done": not self._loop.active}

    def cleanup(self) -> None:
        if self._peers is not None:
            self._peers.close()
        super().cleanup()

    def _name_members(self, members: Sequence[int]) -> None:
        self._output.unit = ("member" if len(members) == 1 else "members", *members)
        if self._peers is not None:
            self._peers.name_members(self._output.unit)

    def __repr__(self) -> str:
        return f"island-{self._number}"


class _ObjectStoreLink:
    """Calls an actor; states lie in Ray's object store."""

    def __init__(self, coordinator: Any) -> None:
        self._coordinator = coordinator

    def post(self, method: str, *arguments: Any) -> Callable[[], Any]:
        answer = getattr(self._coordinator, method).remote(*arguments)
        return lambda: ray.get(answer)

    def goes_along(self, state: MemberState | None) -> bool:
        return state_bytes(state) <= INLINE_BYTES

    def pack(self, state: MemberState | None) -> PackedState:
        if state is None:
            return None
        parcel = to_parcel(state)
        if state_bytes(parcel) <= INLINE_BYTES:
            return parcel
        # In a list, so that Ray passes the reference on and not the value.
        return [ray.put(parcel)]

    def unpack(self, packed: PackedState) -> MemberState | None:
        parcel: MemberState | None = packed
        if isinstance(packed, list):
            try:
                parcel = ray.get(packed[0])
            except ray.exceptions.ObjectLostError as error:
                raise LostStateError from error
        state: MemberState | None = from_parcel(parcel)
        return state
