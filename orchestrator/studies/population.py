"""Runs a population study from start to end, on a cluster, with its record and its view."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from contextlib import closing as closing_of
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import ray
from ray import tune
from rich.console import Console

from orchestrator.config.workload import prepare_workload
from orchestrator.engine.cluster import Share, check_address, connect, place, prepare_device
from orchestrator.engine.placement import run_workers
from orchestrator.engine.population_coordinator import start_coordinator
from orchestrator.engine.population_island import PopulationIsland
from orchestrator.population.assemble import assemble_population
from orchestrator.population.history import PopulationHistory
from orchestrator.population.member import judge
from orchestrator.population.messages import Outcome
from orchestrator.population.preflight import preflight
from orchestrator.reporting.population.results import write_results
from orchestrator.reporting.population.summary import closing, how_to_resume, opening
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED, on_interrupt
from orchestrator.run.journal import Journal, read_journal
from orchestrator.run.worker_output import Workplace
from orchestrator.text import first_line
from orchestrator.tracking.recording import Recording
from orchestrator.tracking.terminal import TerminalFollower
from search_spaces import Config
from workloads.state import load_state

Study = Mapping[str, Any]


def run(study: Study, path: Path, resume: bool) -> int:
    """Run or resume a population study.

    Args:
        study: the resolved configuration.
        path: the run directory; holds the configuration, and when resumed a journal.
        resume: whether the run directory's study goes on.

    Returns:
        The exit status: 0 complete, 1 failed, 130 interrupted.

    Raises:
        ConfigurationError: something that the study needs cannot be had; nothing has been trained.
    """
    check_address(study["cluster"])
    parts = assemble_population(study)
    directory = RunDirectory(path)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if resume:
        prepare_workload(parts.workload)
        # Refuses a run that another process still works on, before anything is started.
        Journal(directory.journal).close()
        if any("seed_bits" not in event for event in read_journal(directory.journal)[:1]):
            # An earlier version gave members seeds of 63 bits.
            console.print("a version with longer seeds began this run; from here on it draws other numbers")
    else:
        for line in preflight(study, parts).lines:
            console.print(line)
    try:
        return _run(study, directory, console, resume)
    except ray.exceptions.RayActorError as error:
        console.print(f"failed: Ray lost the study's coordinator: {first_line(str(error))}")
        console.print(how_to_resume(path, study))
        return 1
    except KeyboardInterrupt:
        console.print(f"ended at once; {how_to_resume(path, study)}")
        raise


def _run(study: Study, run: RunDirectory, console: Console, resume: bool) -> int:
    settings, share = study["cluster"], Share.of(study["cluster"], "island")
    with Recording(study, run) as recording, connect(settings) as cluster:
        size = study["population"]["size"]
        islands = place(settings, share, "cluster.islands", settings["islands"], size, cluster)
        recording.start()
        console.print(opening(study, run.path, cluster, islands, resume))
        outcome = _evolve(study, run, islands, console)
        history = PopulationHistory.from_events(read_journal(run.journal))
        recording.finish(_exit_status(outcome), _results(run, history, console))
    for line in closing(history, outcome, run.path, recording.view, study):
        console.print(line)
    return _exit_status(outcome)


def _results(run: RunDirectory, history: PopulationHistory, console: Console) -> Path:
    """Tables and plots; a study that is trained is not lost with one of them."""
    try:
        return write_results(run.path, history)
    except Exception as error:  # noqa: BLE001 - a full disk, or whatever a plotting library raises
        console.print(f"results are incomplete: {type(error).__name__}: {first_line(str(error))}")
        return run.results


def _evolve(study: Study, run: RunDirectory, islands: int, console: Console) -> Outcome:
    """Train the population, test its best member and complete the journal."""
    name = f"coordinator:{study['study']['name']}:{uuid.uuid4().hex[:6]}"
    coordinator = start_coordinator(study, run, islands, name)
    try:
        with TerminalFollower(run.path, console) if study["tracking"]["terminal"] else nullcontext():
            outcome: Outcome = ray.get(coordinator.outcome.remote())
            if not outcome.finished:
                with on_interrupt(lambda: _stop(coordinator, console)) as interrupted:
                    train(study, run, coordinator, name, islands)
                outcome = ray.get(coordinator.outcome.remote())
                if not outcome.finished and not interrupted.is_set():
                    ray.get(coordinator.abort.remote("its islands ended before it was finished"))
                    outcome = ray.get(coordinator.outcome.remote())
            if outcome.failure or not outcome.finished:
                ray.get(coordinator.halt.remote(outcome.failure or "interrupted"))
            elif not outcome.concluded:
                ray.get(coordinator.conclude.remote(_test_best(study, run, outcome, console)))
        return outcome
    finally:
        ray.kill(coordinator)


def _stop(coordinator: Any, console: Console) -> None:
    console.print("stopping after the present interval; interrupt again to end at once")
    ray.get(coordinator.stop.remote())


def _exit_status(outcome: Outcome) -> int:
    if outcome.failure is not None:
        return 1
    return 0 if outcome.finished else INTERRUPTED


def train(study: Study, run: RunDirectory, coordinator: Any, name: str, islands: int) -> None:
    """Let islands train the population to its end, or until the coordinator stops it."""

    def died(island: int, reason: str, for_good: bool) -> int:
        if for_good:
            # The others would wait for it at a barrier for ever.
            why = f"island-{island} failed more often than cluster.max_failures allows: {reason}"
            coordinator.abort.remote(why)
            return 0
        excused: int = ray.get(coordinator.excused.remote(island))
        return excused

    run_workers(
        tune.with_parameters(
            PopulationIsland, study=study, run=run, coordinator=name, workplace=Workplace.of(run)
        ),
        count=islands,
        resources=Share.of(study["cluster"], "island").bundle,
        name=name.replace(":", "-"),
        storage=run.tune,
        restarts=study["cluster"]["max_failures"],
        deaths=died,
        # The coordinator lets its islands end after a snapshot.
        halted=threading.Event(),
    )


def _test_best(study: Study, run: RunDirectory, outcome: Outcome, console: Console) -> dict[str, float]:
    """The one look at held-out data: the best member's metrics, computed where an island could be."""
    share = Share.of(study["cluster"], "island")
    task = ray.remote(_judge).options(num_cpus=share.cpus, num_gpus=share.gpus, name="held-out test")
    if outcome.weights is None:
        raise RuntimeError("a finished population has the weights of its best member")
    try:
        metrics: dict[str, float] = ray.get(
            task.remote(study, outcome.config, outcome.weights, Workplace.of(run))
        )
    except ray.exceptions.RayTaskError as error:
        console.print(
            f"the held-out test failed: {type(error.cause).__name__}: {first_line(str(error.cause))}"
        )
        return {}
    return metrics


def _judge(study: Study, config: Config, weights: Path, workplace: Workplace) -> dict[str, float]:
    # Ray's task processes are used again, so what is redirected is put back.
    with closing_of(workplace.enter("held-out-test")):
        device = prepare_device(Share.of(study["cluster"], "island"), study["deterministic"])
        workload = assemble_population(study).workload
        return judge(workload, config, study["seed"], load_state(weights)["session"], device)
