"""Ray: connecting to it, and what an island or a trial is given of it."""

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
from typing import Any, Literal

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

    @property
    def resources(self) -> dict[str, float]:
        """As Ray Tune reads it."""
        return {"cpu": self.cpus, "gpu": self.gpus}


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
    check_address(settings)
    _quiet()
    folder = None if settings["address"] else tempfile.mkdtemp(prefix="ray-")
    try:
        _start(settings, folder)
        yield _describe(settings)
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def check_address(settings: Mapping[str, Any]) -> None:
    """Refuse an address at which nothing answers; Ray itself would try it for minutes.

    Raises:
        ConfigurationError: nothing accepts a connection at ``cluster.address``.
    """
    address = settings["address"]
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS):
            pass
    except OSError as error:
        raise _unreachable(address, error) from error


def place(
    settings: Mapping[str, Any], share: Share, key: str, wanted: int | None, most: int, cluster: Cluster
) -> int:
    """How many islands or trials to run at once: as wanted, else as many as have room, at most ``most``.

    More than have room now are accepted on a cluster, which may grow; Ray Tune asks its autoscaler.

    Args:
        settings: the configuration's ``cluster`` part.
        share: what each gets.
        key: the configuration's key of ``wanted``.

    Raises:
        ConfigurationError: there is no room for them.
    """
    cpus, gpus = share.cpus * share.workers, share.gpus * share.workers
    room = min(
        int(cluster.cpus / cpus + 1e-9) if cpus else most,
        int(cluster.gpus / gpus + 1e-9) if gpus else most,
    )
    may_grow = settings["address"] is not None and wanted is not None
    if room < (wanted or 1) and not may_grow:
        raise ConfigurationError(
            key,
            f"at most {room} {share.unit}s of {cpus:g} CPUs and {gpus:g} GPUs on {cluster.cpus:g} CPUs and "
            f"{cluster.gpus:g} GPUs",
            wanted or 1,
            f"lower {key}, cluster.cpus_per_{share.unit} or cluster.gpus_per_{share.unit}",
        )
    return min(wanted or room, most)


def prepare_device(share: Share) -> Device:
    """The device that this process was given, with its thread pools set to match.

    To be called in a worker before the workload is built.

    Raises:
        ConfigurationError: the process was given a GPU that torch cannot use.
    """
    threads = max(1, int(share.cpus))
    os.environ["OMP_NUM_THREADS"] = str(threads)
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
    return Device("cuda" if share.gpus > 0 else "cpu", threads)


def prepare_tune() -> None:
    """Settings of Ray Tune that its arguments cannot make, for a study with its own record."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    # The older of its two ways to print obeys verbose=0.
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    # A trial's death is the study's to tell, in one line.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)


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
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str | None, error: Exception) -> ConfigurationError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    expected = "a Ray cluster that answers" if address else "a machine on which Ray starts"
    return ConfigurationError("cluster.address", expected, address, reason)


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
