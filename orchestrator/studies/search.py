"""Runs a search study from start to end, on a cluster, with its record and its view."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.config.workload import prepare_workload
from orchestrator.engine.cluster import Cluster, Share, check_address, connect, place
from orchestrator.engine.coordinator import Standing
from orchestrator.engine.crew import COMPLETE, Crew, pull
from orchestrator.engine.search_coordinator import SearchCoordinator, deciding_of
from orchestrator.engine.search_worker import SearchWorker
from orchestrator.reporting.search.results import write_results
from orchestrator.reporting.search.summary import INTERRUPTION, closing, opening
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.search.assemble import SearchParts, assemble_search
from orchestrator.search.history import SearchHistory
from orchestrator.search.preflight import preflight
from orchestrator.text import first_line
from orchestrator.tracking.recording import Recording
from orchestrator.tracking.terminal import TerminalFollower

Study = Mapping[str, Any]

_NOTICED = 20
"""Taking an optimizer through so many suggestions again can take long enough to be wondered about."""


def run(study: Study, path: Path, resume: bool) -> int:
    """Run or resume a search study.

    Args:
        study: the resolved configuration.
        path: the run directory; holds the configuration, and when resumed a journal.
        resume: whether the run directory's study goes on.

    Returns:
        The exit status: 0 complete, 1 where no trial succeeded, also if it ended early for that, 130
        interrupted.

    Raises:
        ConfigurationError: something that the study needs cannot be had; nothing has been trained.
    """
    check_address(study["cluster"])
    directory = RunDirectory(path)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    parts = assemble_search(study)
    if resume:
        prepare_workload(parts.workload)
    else:
        for line in preflight(study, parts).lines:
            console.print(line)
    # Refuses a run that another process still works on, before anything is started.
    with Journal(directory.journal):
        past = read_journal(directory.journal)
    with Recording(study, directory) as recording:
        if _complete(past, study["search"]["trials"]):
            recording.start()
            standing = COMPLETE
        else:
            with connect(study["cluster"]) as cluster:
                slots = _slots(study, cluster)
                recording.start()
                console.print(opening(study, path, cluster, slots, resume))
                parts.optimizer.plan(past[0]["concurrency"] if past else slots)
                if remark := parts.optimizer.remark(study["search"]["trials"]):
                    console.print(remark)
                standing = _search(study, directory, parts, past, slots, console)
        if standing.failure and not read_journal(directory.journal):
            console.print(f"failed: {standing.failure}")
            recording.finish(1, None)
            return 1
        finished = standing.over and not standing.halted and not standing.failure
        history = _conclude(directory, standing, finished)
        status = _exit_status(history, standing)
        recording.finish(status, _results(study, parts, directory, history, console))
    for line in closing(history, finished, path, recording.view, study):
        console.print(line)
    return status


def _complete(past: Sequence[Event], trials: int) -> bool:
    """Whether every trial has ended, and none was lost."""
    statuses = {event["trial"]: event["status"] for event in past if event["event"] == "ended"}
    final = any(event["event"] == "final" for event in past)
    return (final or len(statuses) >= trials) and "lost" not in statuses.values()


def _search(
    study: Study, run: RunDirectory, parts: SearchParts, past: Sequence[Event], slots: int, console: Console
) -> Standing:
    """Let workers train the study's trials until there are none left, or it is interrupted."""
    replayed = sum(event["event"] == "suggested" for event in past)
    if replayed >= _NOTICED:
        console.print(f"replaying {replayed} suggestions")
    deciding = deciding_of(study, parts, slots)
    share = Share.of(study["cluster"], "trial")
    crew = Crew(SearchCoordinator, (deciding,), SearchWorker, slots, share.bundle)
    if study["search"]["workers"] > 1:
        # Ray Train imports torch, which takes seconds that other studies need not wait.
        from orchestrator.engine.gang import GangWorker

        # A worker that waits for a gang needs nothing itself, but Tune insists on something.
        crew = replace(crew, worker=GangWorker, resources={"memory": 1.0})
    with TerminalFollower(run.path, console) if study["tracking"]["terminal"] else nullcontext():
        return pull(study, run, crew, console)


def _results(
    study: Study, parts: SearchParts, run: RunDirectory, history: SearchHistory, console: Console
) -> Path | None:
    """Tables and plots; a study that is trained is not lost with one of them."""
    try:
        return write_results(run.path, history, parts.space, study["search"]["export_optuna"])
    except Exception as error:  # noqa: BLE001 - a full disk, or whatever a plotting library raises
        console.print(f"results are incomplete: {type(error).__name__}: {first_line(str(error))}")
        return run.results if run.results.exists() else None


def _exit_status(history: SearchHistory, standing: Standing) -> int:
    if standing.failure:
        return 1
    if standing.halted:
        return INTERRUPTED
    return 0 if any(trial.usable for trial in history.trials) else 1


def _slots(study: Study, cluster: Cluster) -> int:
    search, settings = study["search"], study["cluster"]
    share = Share.of(settings, "trial", search["workers"])
    return place(settings, share, "search.concurrency", search["concurrency"], search["trials"], cluster)


def _conclude(directory: RunDirectory, standing: Standing, finished: bool) -> SearchHistory:
    """Write the journal's last line, once; returns all that it holds."""
    with Journal(directory.journal) as journal:
        history = SearchHistory.from_events(read_journal(directory.journal))
        if finished and history.final is not None:
            return history
        last = _final(history) if finished else _stopped(standing)
        journal.append(last)
        journal.sync()
    history.extend([last])
    return history


def _stopped(standing: Standing) -> Event:
    return {"event": "stopped", "reason": standing.failure or INTERRUPTION, "time": time.time()}


def _final(history: SearchHistory) -> Event:
    knee = history.knee()
    return {
        "event": "final",
        "trials": len(history.trials),
        "failed": sum(trial.status == "failed" for trial in history.trials),
        "lost": sum(trial.status == "lost" for trial in history.trials),
        "pareto": [record.number for record in history.pareto()],
        "knee": None if knee is None else knee.number,
        "time": time.time(),
    }
