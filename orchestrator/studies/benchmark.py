"""Runs a benchmark study from start to end, on a cluster, with its record and its view."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.analysis.references import REFERENCES, check_references
from orchestrator.benchmark.assemble import BenchmarkParts, assemble_benchmark, prepare_tasks
from orchestrator.benchmark.digest import definition_of
from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.benchmark.index import CellIndex
from orchestrator.benchmark.preflight import preflight
from orchestrator.benchmark.records import CellKey, TaskRecord
from orchestrator.benchmark.results import save_study
from orchestrator.engine.cell_coordinator import BenchmarkCoordinator
from orchestrator.engine.cell_worker import CellWorker
from orchestrator.engine.cluster import Cluster, Share, check_address, connect, place
from orchestrator.engine.coordinator import Standing
from orchestrator.engine.crew import COMPLETE, Crew, pull
from orchestrator.reporting.benchmark.summary import aggregates, closing, headline, mixed, opening, started
from orchestrator.run.directory import RunDirectory
from orchestrator.run.faults import storage_failure
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.run.provenance import software
from orchestrator.tracking.recording import Recording
from orchestrator.tracking.terminal import TerminalFollower
from search_spaces import ConfigurationError

Study = Mapping[str, Any]
INTERRUPTION = "interrupted"


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
    versions = software(_code(study))
    # Refuses a run that another process still works on, before anything is started.
    with Journal(directory.journal):
        index = CellIndex(directory.cells, study["benchmark"], parts, versions)
    with Recording(study, directory) as recording:
        for line in mixed(index, versions):
            console.print(line)
        standing = COMPLETE
        if missing := len(index.missing):
            with connect(study["cluster"]) as cluster:
                workers = _workers(study, cluster, missing)
                recording.start()
                console.print(opening(study, parts, path, cluster, workers, resume, missing))
                _begin(study, parts, tasks, index, directory)
                standing = _compute(study, directory, parts, index, workers, console)
        else:
            recording.start()
            _begin(study, parts, tasks, index, directory)
        status = _conclude(directory, index, console, standing)
        recording.finish(status, directory.results if directory.results.exists() else None)
    history = BenchmarkHistory.from_events(read_journal(directory.journal))
    for line in closing(history, path, recording.view, study):
        console.print(line)
    return status


def _code(study: Study) -> list[Path]:
    """Where the user's code lies."""
    given = study["run"].get("config_dir")
    return [Path.cwd(), *([Path(given)] if given else [])]


def _compute(
    study: Study, run: RunDirectory, parts: BenchmarkParts, index: CellIndex, workers: int, console: Console
) -> Standing:
    """Let workers compute the cells that are missing, until there are none left or it is interrupted."""
    evaluations = {name: task.evaluations for name, task in parts.tasks.items()}
    bundle = Share.of(study["cluster"], "trial").bundle
    crew = Crew(BenchmarkCoordinator, (index, evaluations), CellWorker, workers, bundle)
    with TerminalFollower(run.path, console) if study["tracking"]["terminal"] else nullcontext():
        return pull(study, run, crew, console)


def _workers(study: Study, cluster: Cluster, cells: int) -> int:
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
    index: CellIndex,
    directory: RunDirectory,
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
        index.digests,
    )
    with Journal(directory.journal) as journal:
        events = read_journal(directory.journal)
        if events and not index.missing:
            history = BenchmarkHistory.from_events(events)
            if history.final is not None and history.start.digest == index.digest:
                return
        journal.append(started(study, parts, index, again=bool(events)))


def _report(directory: RunDirectory, index: CellIndex, lost: Iterable[CellKey]) -> str:
    """Write the report where the study is complete; returns why there is none, on one line.

    A ``ConfigurationError`` would say that nothing has been computed, and an extension would be taken back.
    """
    try:
        index.compact(lost)
        if index.finished and not index.missing:
            from orchestrator.reporting.benchmark.report import write_report

            write_report([directory.path], directory.results)
    except ConfigurationError as error:
        return " ".join(str(error).split())
    except OSError as error:
        if not (full := storage_failure(error)):
            raise
        return full
    return ""


def _conclude(directory: RunDirectory, index: CellIndex, console: Console, standing: Standing) -> int:
    """Write the report and the journal's last line where the study is complete; returns the exit status."""
    with Journal(directory.journal) as journal:
        history = BenchmarkHistory.from_events(read_journal(directory.journal))
        lost = [CellKey(one.task, one.method, one.seed) for one in history.lost]
        no_report = _report(directory, index, lost)
        error = standing.failure or no_report
        if index.missing and not error:
            _stopped(journal, INTERRUPTION)
            return INTERRUPTED
        if error:
            console.print(f"error: {error}")
            if history.final is None:
                _stopped(journal, error if index.missing else "no report")
            return 1
        if history.final is None:
            journal.append(_final(directory, index))
    return 0 if index.finished else 1


def _final(directory: RunDirectory, index: CellIndex) -> Event:
    return {
        "event": "final",
        "cells": len(index.cells),
        "failed": len(index.failures),
        "lost": len(index.lost),
        "methods": aggregates(directory.results, index),
        **headline(directory.results, index),
        "time": time.time(),
    }


def _stopped(journal: Journal, reason: str) -> None:
    """Say so in the journal, unless there is no room for it."""
    try:
        journal.append({"event": "stopped", "reason": reason, "time": time.time()})
    except OSError as error:
        if not storage_failure(error):
            raise
