"""Connecting to a Ray cluster, or starting a local Ray."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from orchestrator.engine import ray_private
from orchestrator.engine.address import unreachable
from orchestrator.engine.cluster import Cluster
from orchestrator.engine.guard import Guard
from orchestrator.engine.leftovers import PREFIX, Leftover, clean_up, own
from orchestrator.engine.processes import MARK, kill, marked
from orchestrator.engine.travelling import failed, runtime_env
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import terminated_in_order
from search_spaces import ConfigurationError

LONGEST_FOLDER = 107 - len("/ray-12345678/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store")
"""Bytes of a temporary folder below which Ray's sockets keep to the 107 bytes that a path may have."""


@contextmanager
def connect(
    settings: Mapping[str, Any], run: Path | None = None, stuck: Callable[[str], None] = lambda _: None
) -> Iterator[Cluster]:
    """Connect to the configured cluster, or start a local Ray and stop it in the end.

    A Ray that this process is connected to already is used as it is, and left running.

    Args:
        settings: the configuration's ``cluster`` part, whose address has been checked
            (:func:`.address.check_address`), with the variables of workers
            (:func:`.travelling.with_variables`).
        run: the run directory, which is not sent to workers with the folder that it lies in.
        stuck: told in another thread, in one line, where Ray is gone and this process does not get away from
            it; by then nothing is left of a Ray of its own.

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
    with _connected(settings, run, folder, stuck):
        yield replace(_describe(settings), leftovers=tuple(map(str, leftovers)))


@contextmanager
def _connected(
    settings: Mapping[str, Any], run: Path | None, folder: str | None, stuck: Callable[[str], None]
) -> Iterator[None]:
    """The same for a process that is not connected yet.

    Args:
        folder: of a local Ray's temporary files; None: the Ray that it connects to is somebody else's.
    """

    def leave_behind(reason: str) -> None:
        _remove(folder)
        stuck(reason)

    with ExitStack() as looked_after:
        guard = Guard(leave_behind)
        try:
            with _marking(folder):
                _start(settings, folder, runtime_env(settings, run))
            looked_after.enter_context(guard)
            if folder is not None and run is not None and settings["dashboard"]:
                looked_after.enter_context(_discoverable(Path(folder), RunDirectory(run).prometheus))
            # Ray has set a handler of its own by now, which ends the process at once.
            with terminated_in_order():
                yield
        finally:
            guard.rest()
            if folder is not None:
                ray_private.end_monitor()
            ray.shutdown()
            _remove(folder)


def _remove(folder: str | None) -> None:
    """End what is left of a Ray that this process has started in ``folder``."""
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


@contextmanager
def _discoverable(folder: Path, link: Path) -> Iterator[None]:
    """Link to what tells Prometheus where a local Ray exports its figures, whose folder has no fixed name."""
    with suppress(OSError):  # a file system without links; the study needs none
        link.unlink(missing_ok=True)
        link.symlink_to(folder / ray_private.DISCOVERY_FILE)
    try:
        yield
    finally:
        link.unlink(missing_ok=True)


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


def _start(settings: Mapping[str, Any], folder: str | None, environment: dict[str, Any]) -> None:
    address = settings["address"]
    # Workers find a user's modules where this process does.
    job = ray_private.importing(own_directories(sys.path))
    try:
        if folder is not None:
            ray_private.end_children()
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
    ray_private.leave_deaths_to_the_study()
    warnings.filterwarnings("ignore", module=r"ray\..*")
