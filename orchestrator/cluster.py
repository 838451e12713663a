"""Ray: connecting to it, and what an island is given of it."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import ray

from search_spaces import ConfigurationError
from workloads.base import Device

PROBE_SECONDS = 5.0
"""How long a cluster's address may take to accept a connection before it counts as unreachable."""


@dataclass(frozen=True)
class Cluster:
    """A connected Ray.

    Args:
        cpus: CPUs of all nodes together.
        gpus: GPUs of all nodes together.
        dashboard: address of the Ray dashboard; None where there is none.
    """

    cpus: float
    gpus: float
    dashboard: str | None


@contextmanager
def connect(settings: Mapping[str, Any]) -> Iterator[Cluster]:
    """Connect to the configured cluster, or start a local Ray and stop it in the end.

    A Ray that this process is connected to already is used as it is, and left running.

    Args:
        settings: the configuration's ``cluster`` part.

    Raises:
        ConfigurationError: nothing answers at ``cluster.address``, or a local Ray does not start.
    """
    if ray.is_initialized():
        yield _describe(settings)
        return
    _quiet()
    folder = None if settings["address"] else tempfile.mkdtemp(prefix="ray-")
    try:
        _start(settings, folder)
        yield _describe(settings)
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def island_count(settings: Mapping[str, Any], members: int, cluster: Cluster) -> int:
    """How many islands to start: as configured, else as many as have room, at most one per member.

    More islands than have room now are accepted on a cluster, which may grow; Ray Tune asks its autoscaler.

    Raises:
        ConfigurationError: there is no room for them.
    """
    cpus, gpus = settings["cpus_per_island"], settings["gpus_per_island"]
    room = min(
        int(cluster.cpus / cpus + 1e-9) if cpus else members,
        int(cluster.gpus / gpus + 1e-9) if gpus else members,
    )
    wanted = settings["islands"]
    may_grow = settings["address"] is not None and wanted is not None
    if room < (wanted or 1) and not may_grow:
        raise ConfigurationError(
            "cluster.islands",
            f"at most {room} islands of {cpus:g} CPUs and {gpus:g} GPUs on {cluster.cpus:g} CPUs and "
            f"{cluster.gpus:g} GPUs",
            wanted or 1,
            "lower cluster.islands, cluster.cpus_per_island or cluster.gpus_per_island",
        )
    return min(wanted or room, members)


def prepare_device(settings: Mapping[str, Any]) -> Device:
    """The device that this process was given, with its thread pools set to match.

    To be called in a worker before the workload is built.

    Raises:
        ConfigurationError: the island was given a GPU that torch cannot use.
    """
    threads = max(1, int(settings["cpus_per_island"]))
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if settings["gpus_per_island"] > 0 or "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)
        if settings["gpus_per_island"] > 0 and not torch.cuda.is_available():
            raise ConfigurationError(
                "cluster.gpus_per_island",
                "0 where torch finds no GPU",
                settings["gpus_per_island"],
                "install a torch build for the cluster's GPUs",
            )
    return Device("cuda" if settings["gpus_per_island"] > 0 else "cpu", threads)


def _start(settings: Mapping[str, Any], folder: str | None) -> None:
    address = settings["address"]
    try:
        if address is None:
            ray.init(
                address="local",
                num_cpus=settings["cpus"],
                num_gpus=settings["gpus"],
                include_dashboard=settings["dashboard"],
                dashboard_host=settings["dashboard_host"],
                _temp_dir=folder,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        else:
            _probe(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        expected = "a Ray cluster that answers" if address else "a machine on which Ray starts"
        raise ConfigurationError("cluster.address", expected, address, reason) from error


def _probe(address: str) -> None:
    """Ray itself tries an address that nobody answers at for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:
        return
    if not port.isdecimal():
        raise ValueError("an address reads host:port, ray://host:port or auto")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS):
        pass


def _describe(settings: Mapping[str, Any]) -> Cluster:
    resources = ray.cluster_resources()
    url = None
    if settings["dashboard"]:
        with suppress(AttributeError):
            url = ray._private.worker.get_dashboard_url()
    return Cluster(
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
        dashboard=f"http://{url}" if url else None,
    )


def _quiet() -> None:
    """Ray's notices about its own future are not for the people who run a study."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "1")
    warnings.filterwarnings("ignore", module=r"ray\..*")
