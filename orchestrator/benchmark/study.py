"""Runs a benchmark study from start to end, on a cluster, with its record and its view."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console

from orchestrator.analysis.references import REFERENCES, check_references
from orchestrator.benchmark.assemble import BenchmarkParts, assemble_benchmark, prepare_tasks
from orchestrator.benchmark.course import INTERRUPTION, Block, Course
from orchestrator.benchmark.digest import definition_of
from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.benchmark.preflight import preflight
from orchestrator.benchmark.ray_block import BLOCK, BlockTrial
from orchestrator.benchmark.ray_searcher import Losses, RaySearcher
from orchestrator.benchmark.records import CellKey, TaskRecord
from orchestrator.benchmark.results import save_study
from orchestrator.benchmark.stock import Stock
from orchestrator.benchmark.summary import aggregates, closing, headline, mixed, opening, started
from orchestrator.cluster import Cluster, Share, check_address, connect, place
from orchestrator.faults import storage_failure
from orchestrator.interrupt import INTERRUPTED, on_interrupt
from orchestrator.journal import Journal, read_journal
from orchestrator.provenance import software
from orchestrator.ray_tune import prepare_tune
from orchestrator.run_directory import RunDirectory
from orchestrator.search.ray_ends import WhenHalted
from orchestrator.tracking.recording import Recording
from orchestrator.tracking.terminal import TerminalFollower
from orchestrator.worker_output import Workplace
from search_spaces import ConfigurationError

Study = Mapping[str, Any]


def run(study: Study, path: Path, resume: bool) -> int:
    """Run, resume or extend a benchmark study; only cells that are missing are computed.

    Args:
        study: the resolved configuration.
        path: the run directory; holds the configuration, and when resumed a journal and cells.
        resume: whether the run directory's study goes on.

    Returns:
        The exit status: 0 complete, 1 where no cell has finished or there is no report, 130 interrupted.

    Raises:
        ConfigurationError: something that the study needs cannot be had; nothing has been computed.
    """
    check_address(study["cluster"])
    directory = RunDirectory(path)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    parts = assemble_benchmark(study)
    tasks = _records(study, parts)
    # What the report would refuse after all has been computed is refused now.
    check_references(path / REFERENCES, tasks)
    if resume:
        prepare_tasks(parts.tasks.values())
    else:
        for line in preflight(study, parts).lines:
            console.print(line)
    with Journal(directory.journal) as journal, Recording(study, directory) as recording:
        versions = software(_code(study))
        stock = Stock(directory.cells, study["benchmark"], parts, versions)
        for line in mixed(stock, versions):
            console.print(line)
        course = None
        if stock.missing:
            with connect(study["cluster"]) as cluster:
                slots = _slots(study, cluster, len(stock.missing))
                recording.start()
                console.print(opening(study, parts, path, cluster, slots, resume, len(stock.missing)))
                _begin(study, parts, tasks, stock, directory, journal)
                course = _course(study, parts, stock, slots, journal)
                shown = study["tracking"]["terminal"]
                with (
                    TerminalFollower(path, console) if shown else nullcontext(),
                    on_interrupt(course.halt),
                ):
                    compute(study, directory, course, stock, slots, versions)
        else:
            recording.start()
            _begin(study, parts, tasks, stock, directory, journal)
        status = _conclude(directory, journal, stock, console, course)
        recording.finish(status, directory.results if directory.results.exists() else None)
    history = BenchmarkHistory.from_events(read_journal(directory.journal))
    for line in closing(history, path, recording.view, study):
        console.print(line)
    return status


def _code(study: Study) -> list[Path]:
    """Where the user's code lies."""
    given = study["run"].get("config_dir")
    return [Path.cwd(), *([Path(given)] if given else [])]


def compute(
    study: Study, run: RunDirectory, course: Course, stock: Stock, slots: int, versions: str = ""
) -> None:
    """Let Ray Tune run the course's blocks until there are none left, or it is halted."""
    prepare_tune()

    def lost(block: Block, reason: str) -> None:
        given_up = course.lose(block.number, stock.ended(block.cells))
        if given_up is None:
            return
        try:
            course.report(block.number, [stock.give_up(given_up, reason)])
        except OSError as error:
            course.halt(f"cells cannot be stored: {storage_failure(error) or error}")

    trainable = tune.with_parameters(
        BlockTrial, study=study, run=run, workplace=Workplace.of(run), versions=versions
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, Share.of(study["cluster"], "trial").resources),
        tune_config=tune.TuneConfig(
            search_alg=RaySearcher(course),
            num_samples=-1,
            max_concurrent_trials=slots,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=f"benchmark-{uuid.uuid4().hex[:6]}",
            storage_path=str(run.tune),
            stop=WhenHalted(course),
            # The store is what a study resumes from.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[Losses(lost)],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except Exception as error:
        if not (full := storage_failure(error)):
            raise
        course.halt(full)


def _course(study: Study, parts: BenchmarkParts, stock: Stock, slots: int, journal: Journal) -> Course:
    evaluations = {name: task.evaluations for name, task in parts.tasks.items()}
    seconds = study["benchmark"]["block_seconds"]
    return Course(stock.missing, evaluations, slots, seconds, journal, time.time)


def _slots(study: Study, cluster: Cluster, cells: int) -> int:
    share = Share.of(study["cluster"], "trial")
    return place(study["cluster"], share, "cluster.cpus_per_trial", None, cells, cluster)


def _records(study: Study, parts: BenchmarkParts) -> list[TaskRecord]:
    """The tasks as the analysis knows them."""
    suites = {name: definition_of(suite) for name, suite in study["benchmark"]["suites"].items()}
    return [TaskRecord.of(task, suites[task.suite]) for task in parts.tasks.values()]


def _begin(
    study: Study,
    parts: BenchmarkParts,
    tasks: Sequence[TaskRecord],
    stock: Stock,
    directory: RunDirectory,
    journal: Journal,
) -> None:
    """Tell the analysis and the journal what the study is from now on; a complete one is told of once."""
    save_study(
        directory.path,
        study["study"]["name"],
        tasks,
        list(parts.methods),
        study["benchmark"]["workers"],
        parts.left_out,
        parts.seeds,
        stock.digests,
    )
    events = read_journal(directory.journal)
    if events and not stock.missing:
        history = BenchmarkHistory.from_events(events)
        if history.final is not None and history.start.digest == stock.digest:
            return
    journal.append(started(study, parts, stock, again=bool(events)))


def _report(directory: RunDirectory, stock: Stock, lost: Iterable[CellKey]) -> str:
    """Write the report where the study is complete; returns why there is none, on one line.

    A ``ConfigurationError`` would say that nothing has been computed, and an extension would be taken back.
    """
    try:
        stock.compact(lost)
        if stock.finished and not stock.missing:
            from orchestrator.analysis.report import write_report

            write_report([directory.path], directory.results)
    except ConfigurationError as error:
        return " ".join(str(error).split())
    except OSError as error:
        if not (full := storage_failure(error)):
            raise
        return full
    return ""


def _conclude(
    directory: RunDirectory, journal: Journal, stock: Stock, console: Console, course: Course | None
) -> int:
    """Write the report and the journal's last line where the study is complete; returns the exit status."""
    error = _report(directory, stock, course.lost if course else ())
    if course is not None and course.halted and course.reason != INTERRUPTION:
        error = course.reason
    if stock.missing and not error:
        _stopped(journal, INTERRUPTION)
        return INTERRUPTED
    history = BenchmarkHistory.from_events(read_journal(directory.journal))
    if error:
        console.print(f"error: {error}")
        if history.final is None:
            _stopped(journal, error if stock.missing else "no report")
        return 1
    if history.final is None:
        journal.append(
            {
                "event": "final",
                "cells": len(stock.cells),
                "failed": len(stock.failures),
                "lost": len(stock.lost),
                "methods": aggregates(directory.results, stock),
                **headline(directory.results, stock),
                "time": time.time(),
            }
        )
    return 0 if stock.finished else 1


def _stopped(journal: Journal, reason: str) -> None:
    """Say so in the journal, unless there is no room for it."""
    try:
        journal.append({"event": "stopped", "reason": reason, "time": time.time()})
    except OSError as error:
        if not storage_failure(error):
            raise


def _trial_name(trial: Any) -> str:
    return f"block-{trial.config[BLOCK].number}"
