"""From the driver's side: a coordinator, the workers that pull from it, and how that ended."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune
from rich.console import Console

from orchestrator.engine.coordinator import Coordinator, Standing
from orchestrator.engine.ray_actor import start_actor
from orchestrator.engine.ray_worker import PullingWorker
from orchestrator.engine.ray_workers import run_workers
from orchestrator.interrupt import on_interrupt
from orchestrator.run_directory import RunDirectory
from orchestrator.worker_output import Workplace


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


def pull(study: Mapping[str, Any], run: RunDirectory, crew: Crew, console: Console) -> Standing:
    """Do the study's work until there is none left, it is interrupted or it fails; returns how it stands.

    Ctrl-C ends it at once: what runs is forgotten, and begun anew by a resume.
    """
    name = f"coordinator:{study['study']['name']}:{uuid.uuid4().hex[:6]}"
    made_of = (study, run, crew.count, *crew.arguments)
    coordinator = start_actor(crew.coordinator, name, crew.count, *made_of)
    if remark := ray.get(coordinator.standing.remote()).remark:
        console.print(remark)
    halted = threading.Event()

    def halt() -> None:
        halted.set()
        console.print("stopping; interrupt again to end at once")
        ray.get(coordinator.halt.remote())

    def died(worker: int, reason: str, for_good: bool) -> int:
        coordinator.lose.remote(worker, reason, for_good)
        return 0

    try:
        with on_interrupt(halt):
            run_workers(
                tune.with_parameters(
                    crew.worker, study=study, run=run, coordinator=name, workplace=Workplace.of(run)
                ),
                count=crew.count,
                resources=crew.resources,
                name=name.replace(":", "-"),
                storage=run.tune,
                # A worker lives as long as the study. It is the work that is not retried for ever.
                restarts=-1,
                deaths=died,
                halted=halted,
            )
        standing: Standing = ray.get(coordinator.close.remote())
        return standing
    finally:
        ray.kill(coordinator)
