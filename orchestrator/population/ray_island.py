"""An island as a Ray Tune trial: publishes to the coordinator; states travel through the object store."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray import tune

from orchestrator.assemble import assemble_population
from orchestrator.cluster import Share, neighbours, prepare_device
from orchestrator.population.island import Island, MemberState
from orchestrator.population.island_loop import IslandLoop, LostStateError
from orchestrator.population.messages import Box
from orchestrator.population.ray_coordinator import NAMESPACE
from orchestrator.worker_output import Workplace
from workloads.state import from_parcel, state_bytes, to_parcel

STEP_SECONDS = 1.0
"""Training between two returns to Ray Tune: long against its bookkeeping, short enough to be watched."""

INLINE_BYTES = 32 * 1024
"""A state up to this size goes along with a message; the object store would take it milliseconds more."""


class PopulationIsland(tune.Trainable):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Hosts one block of a population's members.

    Config: ``island`` (its number), ``islands`` (how many there are), ``resources`` (what it is given).
    Parameters: ``study`` (resolved configuration), ``coordinator`` (its name), ``workplace``.
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """One bundle; ``tune.with_resources`` would hide this class's name from the dashboard."""
        return tune.PlacementGroupFactory(
            [{key.upper(): value for key, value in config["resources"].items()}]
        )

    def setup(
        self, config: dict[str, Any], study: Mapping[str, Any], coordinator: str, workplace: Workplace
    ) -> None:
        self._number: int = config["island"]
        self._output = workplace.enter(f"island-{self._number}")
        # Copies and snapshots need it; its seconds belong to the start and not to the first generation.
        importlib.import_module("torch")
        share = Share.of(study["cluster"], "island")
        device = prepare_device(share, study["deterministic"], neighbours(share, config["islands"]))
        workload = assemble_population(study).workload
        population = study["population"]
        island = Island(workload, population["interval"], study["seed"], device, self._name_members)
        link = _ObjectStoreLink(ray.get_actor(coordinator, namespace=NAMESPACE))
        self._loop = IslandLoop(self._number, island, population["synchronous"], link)

    def step(self) -> dict[str, Any]:
        """Train for about a second."""
        until = time.monotonic() + STEP_SECONDS
        while self._loop.active and time.monotonic() < until:
            self._loop.turn()
        return {"generation": self._loop.generation, "done": not self._loop.active}

    def cleanup(self) -> None:
        self._output.close()

    def _name_members(self, members: Sequence[int]) -> None:
        self._output.unit = ("member" if len(members) == 1 else "members", *members)

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

    def pack(self, state: MemberState | None) -> Box:
        if state is None:
            return None
        parcel = to_parcel(state)
        if state_bytes(parcel) <= INLINE_BYTES:
            return parcel
        # In a list, so that Ray passes the reference on and not the value.
        return [ray.put(parcel)]

    def unpack(self, box: Box) -> MemberState | None:
        parcel: MemberState | None = box
        if isinstance(box, list):
            try:
                parcel = ray.get(box[0])
            except ray.exceptions.ObjectLostError as error:
                raise LostStateError from error
        state: MemberState | None = from_parcel(parcel)
        return state
