"""The driver's side: starts a coordinator and the workers that pull from it, and says how it ended."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray import tune
from rich.console import Console

from orchestrator.engine.actor import end_actor, launch_actor
from orchestrator.engine.coordinator import Coordinator, Standing
from orchestrator.engine.losses import coordinator_lost
from orchestrator.engine.placement import Deaths, run_workers
from orchestrator.engine.watch import Watch
from orchestrator.engine.worker import PullingWorker
from orchestrator.run.directory import RunDirectory
from orchestrator.run.faults import storage_failure
from orchestrator.run.interrupt import on_interrupt
from orchestrator.run.worker_output import Workplace


@dataclass(frozen=True)
class Crew:
    """Who does a study's work.

    Args:
        coordinator: made with the study, its run directory, the number of workers and ``arguments``.
        arguments: picklable.
        worker: its workers' class.
        count: how many of them run at a time.
        resources: what each is given, as a bundle of a placement group.
    """

    coordinator: type[Coordinator]
    arguments: tuple[Any, ...]
    worker: type[PullingWorker]
    count: int
    resources: Mapping[str, float]


UNLOCK_SECONDS = 5.0
"""How long a study that ends with an exception waits for its coordinator to close the journal."""

COMPLETE = Standing(over=True, halted=False, failure="")
"""The standing of a study with no work left."""


def pull(
    study: Mapping[str, Any], run: RunDirectory, crew: Crew, console: Console, stopping: threading.Event
) -> Standing:
    """Do the study's work until there is none left, it is interrupted or it fails; returns how it stands.

    Ctrl-C ends it at once: what runs is forgotten, and begun anew by a resume.

    Args:
        stopping: set where people ask for its end.

    Raises:
        StudyLostError: the coordinator, or Ray, is gone.
    """
    name = f"coordinator:{study['study']['name']}:{uuid.uuid4().hex[:6]}"
    made_of = (study, run, crew.count, *crew.arguments)
    # Its workers start while the coordinator does: both take seconds, most of them for imports.
    coordinator = launch_actor(crew.coordinator, name, crew.count, *made_of)
    parameters = {"study": study, "run": run, "coordinator": name, "workplace": Workplace.of(run)}
    silence, noun = study["cluster"]["heartbeat"], crew.worker.noun
    try:
        with Watch(coordinator, silence, noun, console.print) as watch:
            return _pull(crew, coordinator, parameters, run, console, watch.halted, stopping)
    except ray.exceptions.RayActorError as error:
        return Standing(False, False, str(coordinator_lost(error)))
    finally:
        end_actor(coordinator)


def _pull(
    crew: Crew,
    coordinator: Any,
    parameters: Mapping[str, Any],
    run: RunDirectory,
    console: Console,
    halted: threading.Event,
    stopping: threading.Event,
) -> Standing:
    opening = threading.Thread(target=_open, args=(coordinator, halted, console), daemon=True)

    def halt() -> None:
        halted.set()
        console.print("stopping; interrupt again to end at once")
        # Without its coordinator the study ends by itself.
        with suppress(ray.exceptions.RayActorError):
            ray.get(coordinator.halt.remote())

    told: list[Any] = []

    def died(worker: int, reason: str, for_good: bool) -> int:
        told.append(coordinator.ended.remote(worker))
        told.append(coordinator.lose.remote(worker, reason, for_good))
        return 0

    try:
        with on_interrupt(halt, stopping):
            opening.start()
            full = _work(crew, parameters, run, died, halted)
        for call in told:  # An asyncio actor may take calls in another order than they were made in.
            ray.get(call)
        standing: Standing = ray.get(coordinator.close.remote())
    except BaseException:
        _unlock(coordinator)
        raise
    finally:
        opening.join()
    return _explained(replace(standing, failure=standing.failure or full), stopping.is_set())


def _open(coordinator: Any, halted: threading.Event, console: Console) -> None:
    """Print what people should know of how the study began, as soon as its coordinator has been made."""
    try:
        remark = ray.get(coordinator.standing.remote()).remark
    except ray.exceptions.RayError:
        halted.set()  # It could not be made, and its next call says why.
        return
    if remark:
        console.print(remark)


def _unlock(coordinator: Any) -> None:
    """Let a resume begin at once: a killed process keeps its lock on the journal until it is gone."""
    with suppress(ray.exceptions.RayError):
        ray.get(coordinator.close.remote(), timeout=UNLOCK_SECONDS)


def _explained(standing: Standing, halted: bool) -> Standing:
    """A study that has not come to its end was interrupted, or has failed."""
    if standing.over or standing.halted or standing.failure:
        return standing
    if halted:  # Tune may have ended before the coordinator was told.
        return replace(standing, halted=True)
    return replace(standing, failure="its workers ended before it was finished")


def _work(
    crew: Crew,
    parameters: Mapping[str, Any],
    run: RunDirectory,
    deaths: Deaths,
    halted: threading.Event,
) -> str:
    """Keep the workers alive until all have left; returns why they could not stay, if the disk is full."""
    try:
        run_workers(
            tune.with_parameters(crew.worker, **parameters),
            count=crew.count,
            resources=[crew.resources],
            name=parameters["coordinator"].replace(":", "-"),
            storage=run.tune,
            # A worker lives as long as the study. It is the work that is not retried for ever.
            restarts=-1,
            deaths=deaths,
            halted=halted,
        )
    except Exception as error:
        # Ray Tune keeps files of its own in the run directory.
        if not (full := storage_failure(error)):
            raise
        return full
    return ""
