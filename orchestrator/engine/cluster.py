"""What a connected Ray has, and what an island or a trial is given of it."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import ray

from orchestrator.config.span import span_of
from orchestrator.engine.determinism import compute_deterministically
from search_spaces import ConfigurationError
from workloads.contract import Device

_ROUNDING = 1e-9
"""A third of a GPU fits three times."""


@dataclass(frozen=True)
class Cluster:
    """A connected Ray.

    Args:
        nodes: each node's CPUs and GPUs.
        dashboard: address of the Ray dashboard; None where there is none.
        leftovers: what was cleaned up before this Ray was started, a line each.
        ours: whether this program has connected, and can connect again; else whoever called it has.
    """

    nodes: tuple[tuple[float, float], ...]
    dashboard: str | None
    ours: bool = True
    leftovers: tuple[str, ...] = ()

    @property
    def cpus(self) -> float:
        """CPUs of all nodes together."""
        return sum(cpus for cpus, _ in self.nodes)

    @property
    def gpus(self) -> float:
        """GPUs of all nodes together."""
        return sum(gpus for _, gpus in self.nodes)


@dataclass(frozen=True)
class Share:
    """What one island, one trial or one of a trial's workers is given.

    Args:
        unit: ``island`` or ``trial``; the keys ``cluster.cpus_per_<unit>`` and so on say how much.
        cpus: CPUs; training uses as many threads (at least one).
        gpus: GPUs; a fraction shares one GPU.
        workers: how many of it are needed at once.
    """

    unit: Literal["island", "trial"]
    cpus: float
    gpus: float
    workers: int = 1

    @classmethod
    def of(cls, settings: Mapping[str, Any], unit: Literal["island", "trial"], workers: int = 1) -> Share:
        """What the configuration's ``cluster`` part says."""
        return cls(unit, settings[f"cpus_per_{unit}"], settings[f"gpus_per_{unit}"], workers)

    def room(self, cluster: Cluster) -> int:
        """How many fit on the nodes at once; what one needs whole is not divided between two."""
        single = sum(min(self._by_cpus(cpus), self._by_gpus(gpus)) for cpus, gpus in cluster.nodes)
        return int(single // self.workers) if single < math.inf else sys.maxsize

    def _by_cpus(self, cpus: float) -> float:
        return math.floor(cpus / self.cpus + _ROUNDING) if self.cpus else math.inf

    def _by_gpus(self, gpus: float) -> float:
        if not self.gpus:
            return math.inf
        if self.gpus < 1:
            return math.floor(1 / self.gpus + _ROUNDING) * math.floor(gpus + _ROUNDING)
        return math.floor(gpus / self.gpus + _ROUNDING)

    @property
    def text(self) -> str:
        """What one needs, for people."""
        each = f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"
        return f"{self.workers} processes with {each} each" if self.workers > 1 else each

    @property
    def bundle(self) -> dict[str, float]:
        """As Ray's placement groups read it."""
        return {"CPU": self.cpus, "GPU": self.gpus} if self.gpus else {"CPU": self.cpus}


def place(
    settings: Mapping[str, Any], share: Share, key: str, wanted: int | None, most: int, cluster: Cluster
) -> int:
    """How many islands or trials to run at once: as wanted, else as many as have room, at most ``most``.

    More than have room now are accepted on a cluster, which may grow; Ray Tune asks its autoscaler. Of
    ``cluster.workers`` it is the larger number there, and those without room come later, or never.

    Args:
        settings: the configuration's ``cluster`` part.
        share: what each gets.
        key: the configuration's key of ``wanted``.

    Raises:
        ConfigurationError: there is no room for them.
    """
    room, grows = share.room(cluster), settings["address"] is not None
    if (wanted_span := span_of(settings)) is not None:
        key, (wanted, largest) = "cluster.workers", wanted_span
        most = min(most, largest if grows else min(largest, max(room, wanted)))
    may_grow = grows and wanted is not None
    if room < (wanted or 1) and not may_grow:
        raise ConfigurationError(
            key if wanted else f"cluster.cpus_per_{share.unit}",
            f"what {len(cluster.nodes)} node(s) with {cluster.cpus:g} CPUs and {cluster.gpus:g} GPUs have "
            f"room for, at most {room} {share.unit}s of {share.text}",
            wanted or share.cpus,
            f"lower {key}, cluster.cpus_per_{share.unit} or cluster.gpus_per_{share.unit}",
        )
    return most if wanted_span else min(wanted or room, most)


def place_first(settings: Mapping[str, Any], share: Share, count: int, cluster: Cluster) -> int:
    """With how many of ``count`` islands a study begins: all, or of ``cluster.workers`` those with room."""
    wanted = span_of(settings)
    return count if wanted is None else min(count, max(wanted[0], share.room(cluster)))


def neighbours(share: Share, wanted: int) -> int:
    """How many of ``wanted`` islands or trials may be on this process's node at once, it included."""
    node = ray.get_runtime_context().get_node_id()
    resources: Mapping[str, float] = next(
        (one["Resources"] for one in ray.nodes() if one["NodeID"] == node), {}
    )
    here = Cluster(((resources.get("CPU", 0.0), resources.get("GPU", 0.0)),), None)
    return max(1, min(wanted, share.room(here)))


def prepare_device(share: Share, deterministic: bool, processes: int = 1) -> Device:
    """The device that this process was given, with its thread pools set to match.

    To be called in a worker before the workload is built.

    Args:
        share: what the process was given.
        deterministic: whether torch is to compute the same numbers every time.
        processes: how many like this one share the node's memory; a GPU's is shared as the GPU is.

    Raises:
        ConfigurationError: the process was given a GPU that torch cannot use.
    """
    threads = max(1, int(share.cpus))
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if deterministic:
        compute_deterministically()
    if share.gpus > 0 or "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)
        if share.gpus > 0 and not torch.cuda.is_available():
            raise ConfigurationError(
                f"cluster.gpus_per_{share.unit}",
                "0 where torch finds no GPU",
                share.gpus,
                "install a torch build for the cluster's GPUs",
            )
    if share.gpus > 0:
        return Device("cuda", threads, share.gpus)
    return Device("cpu", threads, 1 / processes)
