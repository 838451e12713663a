"""Runs a search study from start to end, on a cluster, with its record and its view."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console

from orchestrator.assemble import prepare_workload
from orchestrator.cluster import Cluster, Share, check_address, connect, place
from orchestrator.interrupt import INTERRUPTED, on_interrupt
from orchestrator.journal import Event, Journal, read_journal
from orchestrator.ray_tune import prepare_tune
from orchestrator.run_directory import RunDirectory
from orchestrator.search.assemble import SearchParts, assemble_search
from orchestrator.search.course import Assignment, Course
from orchestrator.search.history import SearchHistory, SearchStart
from orchestrator.search.preflight import preflight
from orchestrator.search.ray_distributed import DistributedTrial
from orchestrator.search.ray_ends import WhenHalted
from orchestrator.search.ray_searcher import Losses, RaySearcher
from orchestrator.search.ray_stopping import remind
from orchestrator.search.ray_trial import ASSIGNMENT, SearchTrial, overdue
from orchestrator.search.results import write_results
from orchestrator.search.summary import INTERRUPTION, closing, opening
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
    with Journal(directory.journal) as journal:
        past = read_journal(directory.journal)
        course = _course(study, parts, journal, past, console)
        with Recording(study, directory) as recording:
            if course is None or course.finished:
                recording.start()
            else:
                with connect(study["cluster"]) as cluster:
                    slots = _slots(study, cluster)
                    recording.start()
                    console.print(opening(study, path, cluster, slots, resume))
                    if not past:
                        parts.optimizer.plan(slots)
                    if remark := parts.optimizer.remark(study["search"]["trials"]):
                        console.print(remark)
                    journal.append(_resumed(course) if past else _started(study, parts, slots))
                    shown = study["tracking"]["terminal"]
                    with (
                        TerminalFollower(path, console) if shown else nullcontext(),
                        on_interrupt(course.halt),
                    ):
                        train(study, parts, directory, course, past, slots)
            finished = course is None or course.finished
            reason = (course and course.hopeless) or INTERRUPTION
            history = _conclude(directory, journal, finished, reason)
            status = _exit_status(history, finished)
            recording.finish(status, _results(study, parts, directory, history, console))
    for line in closing(history, finished, path, recording.view, study):
        console.print(line)
    return status


def _course(
    study: Study, parts: SearchParts, journal: Journal, past: Sequence[Event], console: Console
) -> Course | None:
    """The study's course as far as its journal goes; None where every trial has ended, and none was lost."""
    counts = Counter(event["event"] for event in past)
    trials, retries = study["search"]["trials"], study["cluster"]["max_failures"]
    statuses = {event["trial"]: event["status"] for event in past if event["event"] == "ended"}
    if (counts["final"] or len(statuses) >= trials) and "lost" not in statuses.values():
        return None
    if counts["suggested"] >= _NOTICED:
        console.print(f"replaying {counts['suggested']} suggestions")
    if past:  # as it was at the start, so that suggestions repeat
        parts.optimizer.plan(past[0]["concurrency"])
    largest = parts.rungs.largest
    course = Course(parts.optimizer, parts.constraints, trials, largest, journal, past, time.time, retries)
    if course.departures:
        console.print(
            f"the optimizer would now suggest trial {course.departures[0]} otherwise (another version of the "
            f"program or a library?): the journal holds, and the study no longer repeats bit for bit"
        )
    return course


def _results(
    study: Study, parts: SearchParts, run: RunDirectory, history: SearchHistory, console: Console
) -> Path | None:
    """Tables and plots; a study that is trained is not lost with one of them."""
    try:
        return write_results(run.path, history, parts.space, study["search"]["export_optuna"])
    except Exception as error:  # noqa: BLE001 - a full disk, or whatever a plotting library raises
        console.print(f"results are incomplete: {type(error).__name__}: {first_line(str(error))}")
        return run.results if run.results.exists() else None


def _exit_status(history: SearchHistory, finished: bool) -> int:
    if not finished:
        return INTERRUPTED if history.stopped == INTERRUPTION else 1
    return 0 if any(trial.usable for trial in history.trials) else 1


def train(
    study: Study, parts: SearchParts, run: RunDirectory, course: Course, past: Sequence[Event], slots: int
) -> None:
    """Let Ray Tune run the course's trials until there are none left, or it is halted."""
    prepare_tune()
    limit, scheduler = study["search"]["time_limit"], None
    forget: Callable[[Any], None] = lambda _: None  # noqa: E731 - nobody remembers
    if parts.stopping is not None:
        scheduler = parts.stopping.scheduler(parts.rungs, study["seed"])
        remind(scheduler, past, parts.objectives, parts.constraints)
        forget = scheduler.forget
    tuner = tune.Tuner(
        _trainable(study, run),
        tune_config=tune.TuneConfig(
            search_alg=RaySearcher(course, parts.stopping.name if parts.stopping else "", run.failures),
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=slots,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=f"search-{uuid.uuid4().hex[:6]}",
            storage_path=str(run.tune),
            stop=WhenHalted(course),
            # The journal is what a study resumes from.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[Losses(course, lambda number: overdue(run, number, limit), forget)],
            verbose=0,
        ),
    )
    tuner.fit()


def _trainable(study: Study, run: RunDirectory) -> Any:
    """What trains trials: a process, or one that waits for several, which ask for their own resources."""
    together = study["search"]["workers"] > 1
    trainable = tune.with_parameters(DistributedTrial if together else SearchTrial, study=study, run=run)
    # Tune insists on something.
    resources = {"memory": 1} if together else Share.of(study["cluster"], "trial").resources
    return tune.with_resources(trainable, resources)


def _slots(study: Study, cluster: Cluster) -> int:
    search, settings = study["search"], study["cluster"]
    share = Share.of(settings, "trial", search["workers"])
    return place(settings, share, "search.concurrency", search["concurrency"], search["trials"], cluster)


def _resumed(course: Course) -> Event:
    return {"event": "resume", "pending": list(course.pending), "time": time.time()}


def _started(study: Study, parts: SearchParts, slots: int) -> Event:
    columns = parts.space.codec.columns
    return SearchStart(
        study=study["study"]["name"],
        seed=study["seed"],
        optimizer=type(parts.optimizer).__name__,
        stopping=parts.stopping.name if parts.stopping else "",
        trials=study["search"]["trials"],
        concurrency=slots,
        unit=parts.workload.fidelity.unit,
        rungs=parts.rungs.up_to(),
        objectives=parts.objectives,
        constraints=parts.constraints,
        parameters=parts.space.names,
        log_parameters=tuple(column.name for column in columns if column.log),
        time=time.time(),
    ).event()


def _conclude(directory: RunDirectory, journal: Journal, finished: bool, reason: str) -> SearchHistory:
    """Write the journal's last line, once; returns all that it holds."""
    history = SearchHistory.from_events(read_journal(directory.journal))
    if finished and history.final is not None:
        return history
    knee = history.knee()
    last: Event = {"event": "stopped", "reason": reason, "time": time.time()}
    if finished:
        last = {
            "event": "final",
            "trials": len(history.trials),
            "failed": sum(trial.status == "failed" for trial in history.trials),
            "lost": sum(trial.status == "lost" for trial in history.trials),
            "pareto": [record.number for record in history.pareto()],
            "knee": None if knee is None else knee.number,
            "time": time.time(),
        }
    journal.append(last)
    history.extend([last])
    return history


def _trial_name(trial: Any) -> str:
    assignment: Assignment = trial.config[ASSIGNMENT]
    attempt = f"-attempt-{assignment.attempt + 1}" if assignment.attempt else ""
    return f"trial-{assignment.number}{attempt}"
