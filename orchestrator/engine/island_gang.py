"""The processes that train an island's members together: the island, and actors in its placement group.

They live as long as the island and train all of its members, unlike the processes of a search's trial
(:mod:`.gang`), which Ray Train starts for each.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from orchestrator.config.workload import assemble_workload, prepare_workload
from orchestrator.engine.cluster import Share, neighbours, prepare_device
from orchestrator.engine.losses import cause_of
from orchestrator.engine.node import once_on_node
from orchestrator.population.island.gang_peers import Answer, Order, Part, Raised
from orchestrator.run.worker_output import STARTING, Workplace
from search_spaces import trusted_space
from workloads.capabilities import DistributedWorkload
from workloads.devices import ProcessesLostError
from workloads.state import from_parcel, to_parcel

_CLOSE_SECONDS = 2.0
"""How long peers that have nothing to do may take to close their logs."""


@dataclass(frozen=True)
class IslandGang:
    """What every process of an island's gang has to know.

    Args:
        study: the resolved configuration.
        workplace: where the processes work.
        scratch: the island's folder for files of sessions; those of the others lie beside it.
        island: the island's number.
        islands: how many there are.
    """

    study: Mapping[str, Any]
    workplace: Workplace
    scratch: Path
    island: int
    islands: int

    @property
    def workers(self) -> int:
        """How many processes train a member."""
        return int(self.study["population"]["workers"])

    @property
    def share(self) -> Share:
        """What each of the processes is given."""
        return Share.of(self.study["cluster"], "island")

    def join(self, store: Any, rank: int) -> None:
        """Become one of the processes that ``torch.distributed`` connects; returns once all have joined."""
        from torch.distributed import init_process_group

        init_process_group(
            "nccl" if self.share.gpus > 0 else "gloo",
            store=store,
            rank=rank,
            world_size=self.workers,
        )


class IslandPeers:
    """The island's peers, as the island sees them (:class:`orchestrator.population.island.gang.Peers`).

    Made at once; they start while the island does.
    """

    def __init__(self, gang: IslandGang) -> None:
        self._gang = gang
        self._unit: tuple[object, ...] = STARTING
        group, share = ray.util.get_current_placement_group(), gang.share
        self._actors = [
            ray.remote(IslandPeer)
            .options(
                num_cpus=share.cpus,
                num_gpus=share.gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(group, rank),
            )
            .remote(gang, rank)
            for rank in range(1, gang.workers)
        ]

    def connect(self) -> None:
        """Join them in one process group, once torch and the device are ready here.

        Raises:
            RayActorError: one of them could not be set up.
        """
        # Whoever cannot be set up says why; the others would wait for it in vain.
        ray.get([actor.__ray_ready__.remote() for actor in self._actors])
        address = ray.util.get_node_ip_address()
        store = _store(address)
        joining = [actor.join.remote(address, store.port) for actor in self._actors]
        self._gang.join(store, 0)
        ray.get(joining)

    def name_members(self, unit: tuple[object, ...]) -> None:
        """What the next orders are about, for the peers' logs."""
        self._unit = unit

    def post(self, order: Order) -> Sequence[Answer]:
        if order.call == "load":
            # Serialised once for all of them.
            parcels = ray.put([to_parcel(argument) for argument in order.arguments])
            order = replace(order, arguments=())
            answers = [actor.follow.remote(order, self._unit, parcels) for actor in self._actors]
        else:
            answers = [actor.follow.remote(order, self._unit) for actor in self._actors]
        return [_Answer(answer, rank) for rank, answer in enumerate(answers, 1)]

    def end(self) -> None:
        for actor in self._actors:
            ray.kill(actor)

    def desert(self) -> None:
        os._exit(1)

    def close(self) -> None:
        """End them where none of them is at work."""
        closing = [actor.close.remote() for actor in self._actors]
        ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_SECONDS)
        self.end()


@dataclass(frozen=True)
class _Answer:
    """What a peer will answer, see :data:`orchestrator.population.island.gang.Answer`."""

    reference: Any
    rank: int

    def __call__(self, seconds: float | None) -> Raised | None:
        try:
            raised: Raised | None = ray.get(self.reference, timeout=seconds)
        except ray.exceptions.GetTimeoutError:
            raise
        except ray.exceptions.RayError as error:
            text = f"process {self.rank} of those that train together is lost: {cause_of(error)}"
            raise ProcessesLostError(text) from error
        return raised


class IslandPeer:
    """An actor: one of the processes besides the island."""

    def __init__(self, gang: IslandGang, rank: int) -> None:
        self._gang, self._rank, study = gang, rank, gang.study
        self._output = gang.workplace.enter(f"island-{gang.island}.{rank}")
        import torch  # noqa: F401 - before the device, which sets its threads

        here = neighbours(gang.share, gang.islands * gang.workers)
        device = prepare_device(gang.share, study["deterministic"], here)
        scratch = gang.scratch.with_name(f"{gang.scratch.name}.{rank}")
        shutil.rmtree(scratch, ignore_errors=True)  # of a process in this place that died
        workload = assemble_workload(study, trusted_space(study["search_space"]))
        once_on_node(study, gang.workplace, lambda: prepare_workload(workload))
        assert isinstance(workload, DistributedWorkload)  # as the study has checked
        self._part = Part(workload, replace(device, scratch=scratch), rank, gang.workers)

    def join(self, address: str, port: int) -> None:
        """Join the process group whose store is there."""
        self._gang.join(_store(address, port), self._rank)

    def follow(self, order: Order, unit: tuple[object, ...], parcels: Sequence[Any] = ()) -> Raised | None:
        """Do this process's part of an order.

        Args:
            unit: what it is about, for the log.
            parcels: states, which come after the order's own arguments.
        """
        self._output.unit = unit
        states = [from_parcel(parcel) for parcel in parcels]
        return self._part.follow(replace(order, arguments=(*order.arguments, *states)))

    def close(self) -> None:
        """Let go of the log; the process ends."""
        self._output.close()


def _store(address: str, port: int = 0) -> Any:
    """Where processes find one another: a new one on a free port of this machine, or the one at ``port``."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined] # public, but not in ``__all__``

    return TCPStore(address, port, is_master=not port, wait_for_workers=False)
