"""Ray: connecting to it, and what an island or a trial is given of it."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import ray

from orchestrator.engine import ray_private
from orchestrator.engine.address import unreachable
from orchestrator.engine.determinism import compute_deterministically
from orchestrator.engine.leftovers import PREFIX, Leftover, clean_up, own
from orchestrator.engine.processes import MARK, kill, marked
from orchestrator.engine.travelling import failed, runtime_env
from orchestrator.run.interrupt import terminated_in_order
from search_spaces import ConfigurationError
from workloads.contract import Device

_ROUNDING = 1e-9
"""A third of a GPU fits three times."""

LONGEST_FOLDER = 107 - len("/ray-12345678/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store")
"""Bytes of a temporary folder below which Ray's sockets keep to the 107 bytes that a path may have."""


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


@contextmanager
def connect(settings: Mapping[str, Any], run: Path | None = None) -> Iterator[Cluster]:
    """Connect to the configured cluster, or start a local Ray and stop it in the end.

    A Ray that this process is connected to already is used as it is, and left running.

    Args:
        settings: the configuration's ``cluster`` part, whose address has been checked
            (:func:`.address.check_address`), with the variables of workers
            (:func:`.travelling.with_variables`).
        run: the run directory, which is not sent to workers with the folder that it lies in.

    Raises:
        ConfigurationError: Ray does not connect, a local one does not start, or a node cannot set up what
            travels to it.
    """
    if ray.is_initialized():
        yield replace(_describe(settings), ours=False)
        return
    _quiet()
    folder, leftovers = None, list[Leftover]()
    if settings["address"] is None:
        leftovers = clean_up(Path(short_folder()))
        folder = tempfile.mkdtemp(prefix=PREFIX, dir=short_folder())
        own(Path(folder))
    try:
        with _marking(folder):
            _start(settings, folder, runtime_env(settings, run))
        # Ray has set a handler of its own by now, which ends the process at once.
        with terminated_in_order():
            yield replace(_describe(settings), leftovers=tuple(map(str, leftovers)))
    finally:
        if folder is not None:
            ray_private.end_monitor()
        ray.shutdown()
        if folder is not None:
            # Workers outlive a Ray that died, and would keep the journal and the GPU.
            kill(marked(folder))
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _marking(folder: str | None) -> Iterator[None]:
    """Make all that a Ray in ``folder`` starts known by it, see :func:`.processes.marked`."""
    if folder is None:
        yield
        return
    os.environ[MARK] = folder
    try:
        yield
    finally:
        del os.environ[MARK]


def short_folder() -> str:
    """A folder for temporary files whose name leaves room for the paths of Ray's sockets.

    Raises:
        ConfigurationError: neither that of the environment nor /tmp will do.
    """
    usual = tempfile.gettempdir()
    for folder in (usual, "/tmp"):
        if len(os.fsencode(folder)) <= LONGEST_FOLDER and os.access(folder, os.W_OK | os.X_OK):
            return folder
    expected = f"a folder of at most {LONGEST_FOLDER} characters, since Ray's sockets lie below it"
    raise ConfigurationError("TMPDIR", expected, usual, "/tmp cannot be written")


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
    room = share.room(cluster)
    may_grow = settings["address"] is not None and wanted is not None
    if room < (wanted or 1) and not may_grow:
        raise ConfigurationError(
            key if wanted else f"cluster.cpus_per_{share.unit}",
            f"what {len(cluster.nodes)} node(s) with {cluster.cpus:g} CPUs and {cluster.gpus:g} GPUs have "
            f"room for, at most {room} {share.unit}s of {share.text}",
            wanted or share.cpus,
            f"lower {key}, cluster.cpus_per_{share.unit} or cluster.gpus_per_{share.unit}",
        )
    return min(wanted or room, most)


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


def _start(settings: Mapping[str, Any], folder: str | None, environment: dict[str, Any]) -> None:
    address = settings["address"]
    # Workers find a user's modules where this process does.
    job = ray_private.importing(own_directories(sys.path))
    try:
        if folder is not None:
            with ray_private.on_loopback():
                ray.init(
                    address="local",
                    num_cpus=settings["cpus"],
                    num_gpus=settings["gpus"],
                    include_dashboard=settings["dashboard"],
                    dashboard_host=settings["dashboard_host"],
                    **ray_private.local_folder(folder),
                    job_config=job,
                    runtime_env=environment or None,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        else:
            ray.init(
                address=address,
                job_config=job,
                runtime_env=environment or None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except Exception as error:
        # Ray raises plain exceptions too, for example where a busy machine starts it too slowly.
        raise unreachable(address, error) from error
    if environment:
        _check_environment(environment)


def _check_environment(environment: Mapping[str, Any]) -> None:
    """Let one process start in it. A lambda, since nodes may have this package only from the environment."""
    try:
        ray.get(ray.remote(num_cpus=0)(lambda: None).remote())
    except ray.exceptions.RuntimeEnvSetupError as error:
        raise failed(environment, error) from error


def own_directories(path: Sequence[str]) -> list[str]:
    """Those directories of a module search path that no installation of Python brings."""
    prefixes = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    found = [Path(entry).resolve() for entry in path if entry and Path(entry).is_dir()]
    return [str(one) for one in found if not any(one.is_relative_to(prefix) for prefix in prefixes)]


def _describe(settings: Mapping[str, Any]) -> Cluster:
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    url = ray_private.dashboard_url() if settings["dashboard"] else None
    return Cluster(
        nodes=tuple((node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in alive),
        dashboard=f"http://{url}" if url else None,
    )


def _quiet() -> None:
    """Ray's notices about its own future are not for the people who run a study."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "1")
    warnings.filterwarnings("ignore", module=r"ray\..*")
