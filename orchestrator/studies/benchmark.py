"""A run of a benchmark study."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.analysis.references import REFERENCES, check_references
from orchestrator.benchmark.assemble import BenchmarkParts, assemble_benchmark, prepare_tasks
from orchestrator.benchmark.digest import definition_of
from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.benchmark.index import CellIndex
from orchestrator.benchmark.preflight import preflight
from orchestrator.benchmark.records import CellKey, TaskRecord
from orchestrator.benchmark.results import save_study
from orchestrator.benchmark.soundness import BenchmarkJudge
from orchestrator.engine.cell_coordinator import BenchmarkCoordinator
from orchestrator.engine.cell_worker import CellWorker
from orchestrator.engine.cluster import Cluster, Share, place
from orchestrator.engine.coordinator import Standing
from orchestrator.engine.crew import Crew, pull
from orchestrator.reporting.benchmark.summary import aggregates, closing, headline, mixed, opening, started
from orchestrator.run.directory import RunDirectory
from orchestrator.run.faults import storage_failure
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.run.provenance import software
from orchestrator.run.soundness import require_sound
from orchestrator.studies.kind import Study
from orchestrator.studies.lifecycle import carry_out
from search_spaces import ConfigurationError
from workloads.contract import Workload

INTERRUPTION = "interrupted"


def run(study: Study, path: Path, resume: bool) -> int:
    """Run, resume or extend a benchmark study, see :func:`.lifecycle.carry_out`.

    Only cells that are missing are computed. The status is 1 also where no cell has finished, or there is no
    report.
    """
    return carry_out(BenchmarkRun, study, path, resume)


class BenchmarkRun:
    """One run of a benchmark study, see :class:`.lifecycle.StudyRun`."""

    def __init__(self, study: Study, run: RunDirectory, console: Console) -> None:
        self._study, self._run, self._console = study, run, console
        self._parts = assemble_benchmark(study)
        self._tasks = _records(study, self._parts)
        self._index: CellIndex

    @property
    def workloads(self) -> Iterator[Workload]:
        return (task.workload for task in self._parts.tasks.values())

    def check(self, resume: bool) -> Iterable[str]:
        # What the report would refuse after all has been computed is refused now.
        check_references(self._run.path / REFERENCES, self._tasks)
        lines: Sequence[str] = ()
        if resume:
            prepare_tasks(self._parts.tasks.values())
        else:
            lines = preflight(self._study, self._parts).lines
        versions = software(_code(self._study))
        # Refuses a run that another process still works on, before anything is started.
        with Journal(self._run.journal):
            require_sound(self._run.journal, read_journal(self._run.journal), BenchmarkJudge())
            self._index = CellIndex(self._run.cells, self._study["benchmark"], self._parts, versions)
        return [*lines, *self._index.damage, *mixed(self._index, versions)]

    @property
    def complete(self) -> bool:
        """Whether every cell is stored."""
        return not self._index.missing

    def place(self, cluster: Cluster) -> int:
        settings, cells = self._study["cluster"], len(self._index.missing)
        return place(settings, Share.of(settings, "trial"), "cluster.cpus_per_trial", None, cells, cluster)

    def opening(self, cluster: Cluster, workers: int, resume: bool) -> str:
        missing = len(self._index.missing)
        return opening(self._study, self._parts, self._run.path, cluster, workers, resume, missing)

    def begin(self, workers: int) -> Iterable[str]:
        """Tell the analysis and the journal what the study is; a complete one is told of once."""
        save_study(
            self._run.path,
            self._study["study"]["name"],
            self._tasks,
            list(self._parts.methods),
            self._study["benchmark"]["workers"],
            self._parts.left_out,
            self._parts.seeds,
            self._index.digests,
        )
        with Journal(self._run.journal) as journal:
            events = read_journal(self._run.journal)
            if events and not workers:
                history = BenchmarkHistory.from_events(events)
                if history.final is not None and history.start.digest == self._index.digest:
                    return ()
            journal.append(started(self._study, self._parts, self._index, again=bool(events)))
        return ()

    def work(self, workers: int, stopping: threading.Event) -> Standing:
        evaluations = {name: task.evaluations for name, task in self._parts.tasks.items()}
        bundle = Share.of(self._study["cluster"], "trial").bundle
        crew = Crew(BenchmarkCoordinator, (self._index, evaluations), CellWorker, workers, bundle)
        return pull(self._study, self._run, crew, self._console, stopping)

    def conclude(self, standing: Standing) -> int:
        """Write the report and the journal's last line where the study is complete."""
        index = self._index
        with Journal(self._run.journal) as journal:
            history = BenchmarkHistory.from_events(read_journal(self._run.journal))
            lost = [CellKey(one.task, one.method, one.seed) for one in history.lost]
            no_report = _report(self._run, index, lost)
            error = standing.failure or no_report
            if index.missing and not error:
                _stopped(journal, INTERRUPTION)
                return INTERRUPTED
            if error:
                self._console.print(f"error: {error}")
                if history.final is None:
                    _stopped(journal, error if index.missing else "no report")
                return 1
            if history.final is None:
                journal.append(_final(self._run, index))
        return 0 if index.finished else 1

    def results(self) -> Path | None:
        return self._run.results if self._run.results.exists() else None

    def closing(self, view: str | None) -> Iterable[str]:
        history = BenchmarkHistory.from_events(read_journal(self._run.journal))
        return closing(history, self._run.path, view, self._study)


def _code(study: Study) -> list[Path]:
    """Where the user's code lies."""
    given = study["run"].get("config_dir")
    return [Path.cwd(), *([Path(given)] if given else [])]


def _records(study: Study, parts: BenchmarkParts) -> list[TaskRecord]:
    """The tasks as the analysis knows them."""
    suites = {name: definition_of(suite) for name, suite in study["benchmark"]["suites"].items()}
    return [TaskRecord.of(task, suites[task.suite]) for task in parts.tasks.values()]


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
