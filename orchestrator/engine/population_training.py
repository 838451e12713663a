"""From the driver's side: a population that islands train, its held-out test, and how that ended."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing as closing_of
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray import tune
from rich.console import Console

from orchestrator.engine.actor import end_actor
from orchestrator.engine.cluster import Share, prepare_device
from orchestrator.engine.losses import cause_of, coordinator_lost
from orchestrator.engine.placement import run_workers
from orchestrator.engine.population_coordinator import start_coordinator
from orchestrator.engine.population_island import PopulationIsland
from orchestrator.engine.watch import Watch
from orchestrator.population.assemble import assemble_population
from orchestrator.population.coordination.messages import Outcome
from orchestrator.population.island.member import judge
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import on_interrupt
from orchestrator.run.worker_output import Workplace
from search_spaces import Config
from workloads.state_files import load_state

Study = Mapping[str, Any]


def evolve(
    study: Study, run: RunDirectory, islands: int, first: int, console: Console, stopping: threading.Event
) -> Outcome:
    """Let islands train the population; its coordinator completes the journal.

    Args:
        islands: how many there can be.
        first: with how many of them it begins.
        stopping: set where people ask for its end.

    Raises:
        StudyEndedError: the coordinator could not be made.
        StudyLostError: it, or Ray, is gone.
    """
    name = f"coordinator:{study['study']['name']}:{uuid.uuid4().hex[:6]}"
    try:
        coordinator = start_coordinator(study, run, islands, first, name)
    except ray.exceptions.RayActorError as error:
        raise coordinator_lost(error) from error
    silence, noun = study["cluster"]["heartbeat"], PopulationIsland.noun
    try:
        with Watch(coordinator, silence, noun, console.print) as watch:
            return _evolve(study, run, islands, console, coordinator, name, watch.halted, stopping)
    finally:
        end_actor(coordinator)


def _evolve(
    study: Study,
    run: RunDirectory,
    islands: int,
    console: Console,
    coordinator: Any,
    name: str,
    halted: threading.Event,
    stopping: threading.Event,
) -> Outcome:
    outcome: Outcome = ray.get(coordinator.outcome.remote())
    if not outcome.finished:
        with on_interrupt(lambda: _stop(coordinator, console), stopping):
            _train(study, run, coordinator, name, islands, halted)
        outcome = ray.get(coordinator.outcome.remote())
        if not outcome.finished and not stopping.is_set():
            ray.get(coordinator.abort.remote("its islands ended before it was finished"))
            outcome = ray.get(coordinator.outcome.remote())
    if outcome.failure or not outcome.finished:
        ray.get(coordinator.halt.remote(outcome.failure or "interrupted"))
    elif not outcome.concluded:
        ray.get(coordinator.conclude.remote(_test(study, run, outcome, console)))
    return outcome


def _stop(coordinator: Any, console: Console) -> None:
    console.print("stopping after the present interval; interrupt again to end at once")
    # Without its coordinator the study ends by itself.
    with suppress(ray.exceptions.RayActorError):
        ray.get(coordinator.stop.remote())


def _train(
    study: Study, run: RunDirectory, coordinator: Any, name: str, islands: int, halted: threading.Event
) -> None:
    """Let islands train the population to its end, or until the coordinator stops it."""

    def died(island: int, reason: str, for_good: bool) -> int:
        coordinator.ended.remote(island)
        if for_good:
            # The others would wait for it at a barrier for ever.
            why = f"island-{island} failed more often than cluster.max_failures allows: {reason}"
            coordinator.abort.remote(why)
            return 0
        coordinator.gone.remote(island)
        try:
            excused: int = ray.get(coordinator.excused.remote(island))
        except ray.exceptions.RayActorError:
            return 0  # The island died of that; the watch ends the study.
        return excused

    run_workers(
        tune.with_parameters(
            PopulationIsland, study=study, run=run, coordinator=name, workplace=Workplace.of(run)
        ),
        count=islands,
        resources=[Share.of(study["cluster"], "island").bundle] * study["population"]["workers"],
        name=name.replace(":", "-"),
        storage=run.tune,
        restarts=study["cluster"]["max_failures"],
        deaths=died,
        # The coordinator lets its islands end after a snapshot.
        halted=halted,
    )


def _test(study: Study, run: RunDirectory, outcome: Outcome, console: Console) -> list[dict[str, float]]:
    """The one look at held-out data: the metrics of all models, computed where an island could be."""
    share = Share.of(study["cluster"], "island")
    task = ray.remote(_judge).options(num_cpus=share.cpus, num_gpus=share.gpus, name="held-out test")
    if not outcome.models:
        raise RuntimeError("a finished population has the weights of its best member")
    try:
        metrics: list[dict[str, float]] = ray.get(task.remote(study, outcome.models, Workplace.of(run)))
    except ray.exceptions.RayError as error:
        console.print(f"the held-out test failed: {cause_of(error)}")
        return []
    return metrics


def _judge(
    study: Study, models: Sequence[tuple[Config, Path]], workplace: Workplace
) -> list[dict[str, float]]:
    # Ray's task processes are used again, so what is redirected is put back.
    with closing_of(workplace.enter("held-out-test")):
        device = prepare_device(Share.of(study["cluster"], "island"), study["deterministic"])
        workload = assemble_population(study).workload
        return [
            judge(workload, config, study["seed"], load_state(weights)["session"], device)
            for config, weights in models
        ]
