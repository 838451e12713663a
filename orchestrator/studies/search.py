"""A run of a search study."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from orchestrator.config.workload import prepare_workload
from orchestrator.engine.cluster import Cluster, Share, place
from orchestrator.engine.coordinator import Standing
from orchestrator.engine.crew import Crew, pull
from orchestrator.engine.gang import GangWorker
from orchestrator.engine.search_coordinator import SearchCoordinator, deciding_of
from orchestrator.engine.search_worker import SearchWorker
from orchestrator.optimizers.rungs import narrow
from orchestrator.reporting.search.results import write_results
from orchestrator.reporting.search.summary import INTERRUPTION, closing, opening
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.run.soundness import require_sound
from orchestrator.search.assemble import assemble_search
from orchestrator.search.budget import Budget, Spending
from orchestrator.search.finals.finalists import Finalists, Wanted
from orchestrator.search.finals.models import StoredModels
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.soundness import SearchJudge
from orchestrator.search.preflight import earlier_results, tried_workload
from orchestrator.search.trials.checkpoints import Checkpoints
from orchestrator.studies.kind import Study
from orchestrator.studies.lifecycle import carry_out
from workloads.contract import Workload

LONG_REPLAY = 20
"""Replaying more suggestions than this is slow enough to announce."""


def run(study: Study, path: Path, resume: bool) -> int:
    """Run or resume a search study, see :func:`.lifecycle.carry_out`; 1 also where no trial succeeded."""
    return carry_out(SearchRun, study, path, resume)


class SearchRun:
    """One run of a search study, see :class:`.lifecycle.StudyRun`."""

    def __init__(self, study: Study, run: RunDirectory, console: Console) -> None:
        self._study, self._run, self._console = study, run, console
        self._parts = assemble_search(study)
        self._past: Sequence[Event] = ()
        self._earlier: Sequence[Event] = ()
        self._spent = ""
        self._history: SearchHistory
        self._finished = False

    @property
    def workloads(self) -> tuple[Workload, ...]:
        return (self._parts.workload,)

    def check(self, resume: bool) -> Iterable[str]:
        lines: Iterable[str] = ()
        if resume:
            prepare_workload(self._parts.workload)
        else:
            self._earlier, taken = earlier_results(self._study, self._parts)
            lines = tried_workload(self._study, self._parts, taken).lines
        # Refuses a run that another process still works on, before anything is started.
        with Journal(self._run.journal):
            self._past = read_journal(self._run.journal)
            require_sound(self._run.journal, self._past, SearchJudge())
        return lines

    @property
    def complete(self) -> bool:
        """Whether every trial has ended, and none was lost, or a budget is spent."""
        parts, past = self._parts, self._past
        statuses = {event["trial"]: event["status"] for event in past if event["event"] == "ended"}
        if "lost" in statuses.values():
            return False
        search, largest = self._study["search"], parts.rungs.largest
        wanted = Wanted(search["finalists"], search["finalist_seeds"])
        finalists = Finalists(wanted, parts.objectives, parts.constraints, largest)
        for event in past:
            finalists.take(event)
        if not finalists.settled:
            return False
        repeats, own = search["repeats"], statuses.keys() - finalists.finals.runs.keys()
        spending = Spending(parts.budget, parts.objectives, parts.constraints, largest, repeats)
        spending.take(past)
        self._spent = spending.verdict() if statuses else ""
        enough = len(own) >= parts.budget.trials or bool(self._spent)
        return enough or any(_complete_with(event, past[0], parts.budget) for event in past)

    def place(self, cluster: Cluster) -> int:
        search, settings = self._study["search"], self._study["cluster"]
        share = Share.of(settings, "trial", search["workers"])
        return place(settings, share, "search.concurrency", search["concurrency"], search["trials"], cluster)

    def opening(self, cluster: Cluster, workers: int, resume: bool) -> str:
        return opening(self._study, self._run.path, cluster, workers, resume)

    def begin(self, workers: int) -> Iterator[str]:
        if not workers:
            return
        optimizer = self._parts.optimizer
        optimizer.plan(self._past[0]["concurrency"] if self._past else workers)
        if remark := optimizer.remark(self._study["search"]["trials"]):
            yield remark
        parts = self._parts
        if parts.stopping is not None and (
            remark := narrow(
                parts.rungs.first, parts.rungs.largest, parts.rungs.eta, parts.workload.fidelity.unit
            )
        ):
            yield remark
        replayed = sum(event["event"] == "suggested" for event in self._past)
        if replayed >= LONG_REPLAY:
            yield f"replaying {replayed} suggestions"

    def work(self, workers: int, stopping: threading.Event) -> Standing:
        deciding = deciding_of(self._study, self._parts, workers, self._earlier)
        bundle = Share.of(self._study["cluster"], "trial").bundle
        crew = Crew(SearchCoordinator, (deciding,), SearchWorker, workers, bundle)
        if self._study["search"]["workers"] > 1:
            # A worker that waits for a gang needs nothing itself, but Tune insists on something.
            crew = replace(crew, worker=GangWorker, resources={"memory": 1.0})
        return pull(self._study, self._run, crew, self._console, stopping)

    def conclude(self, standing: Standing) -> int:
        self._finished = standing.over and not standing.halted and not standing.failure
        self._history = _completed(self._run, standing, self._finished, self._parts.budget)
        # Of a study that has ended before, it may be another budget that is spent now.
        self._history.spent = self._history.spent or self._spent
        StoredModels.of(self._run, self._study).prune(self._history)
        if standing.failure:
            return 1
        if standing.halted:
            return INTERRUPTED
        return 0 if any(trial.usable for trial in self._history.trials) else 1

    def results(self) -> Path | None:
        parts = self._parts
        models = StoredModels.of(self._run, self._study)
        return write_results(self._run.results, self._history, parts.space, parts.followed, models)

    def closing(self, view: str | None) -> Iterable[str]:
        return closing(self._history, self._finished, self._run.path, view, self._study)


def _complete_with(event: Event, start: Event, budget: Budget) -> bool:
    """Whether the study was complete with this very budget; earlier versions noted the trials alone."""
    if event["event"] != "final":
        return False
    return bool(event.get("budget", Budget(start["trials"]).event()) == budget.event())


def _completed(run: RunDirectory, standing: Standing, finished: bool, budget: Budget) -> SearchHistory:
    """Write the journal's last line, once, and remove what nothing goes on from; returns all it holds."""
    with Journal(run.journal) as journal:
        events = read_journal(run.journal)
        history = SearchHistory.from_events(events)
        if not finished or history.final is None:
            events.append(_final(history, budget) if finished else _stopped(standing))
            journal.append(events[-1])
            journal.sync()
            history.extend(events[-1:])
        if finished:
            Checkpoints(run.checkpoints, events).remove_others()
    return history


def _stopped(standing: Standing) -> Event:
    return {"event": "stopped", "reason": standing.failure or INTERRUPTION, "time": time.time()}


def _final(history: SearchHistory, budget: Budget) -> Event:
    knee = history.knee()
    return {
        "event": "final",
        "trials": len(history.trials),
        "failed": sum(trial.status == "failed" for trial in history.trials),
        "lost": sum(trial.status == "lost" for trial in history.trials),
        "pareto": [record.number for record in history.pareto()],
        "knee": None if knee is None else knee.number,
        "budget": budget.event(),
        "time": time.time(),
    }
