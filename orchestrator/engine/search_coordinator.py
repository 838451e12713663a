"""A search's coordinator as a Ray actor."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ray import cloudpickle

from orchestrator.engine.actor import StudyActor
from orchestrator.engine.coordinator import Coordinator
from orchestrator.engine.metrics import Labels, MeasuredJournal
from orchestrator.engine.search_metrics import SearchMetrics
from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.rungs import Rungs
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.search.assemble import SearchParts
from orchestrator.search.budget import Budget
from orchestrator.search.course import Course, Handling
from orchestrator.search.desk import SearchDesk, Verdicts
from orchestrator.search.earlier.inbox import Inbox
from orchestrator.search.finals.finalists import Wanted
from orchestrator.search.history.start import SearchStart
from orchestrator.search.trials.checkpoints import keeps_checkpoints
from orchestrator.search.trials.memory_limit import greedy
from orchestrator.search.trials.time_limit import overdue
from orchestrator.search.trials.tried import deterministic
from orchestrator.stopping.rules import StoppingRule
from search_spaces import Config
from workloads.contract import Objective


@dataclass(frozen=True)
class Deciding:
    """What a search decides with. The workload is left out: it may be large, or usable on this machine only.

    Args:
        optimizer: fresh.
        stopping: None where no trial is stopped early.
        start: the journal's first line, for a new study.
        earlier: what follows it: results of earlier studies.
        budget: when the study ends.
        initial: configurations that are tried first.
        deterministic: whether the workload gives the same for every seed.
    """

    optimizer: Optimizer
    objectives: tuple[Objective, ...]
    constraints: tuple[Objective, ...]
    rungs: Rungs
    stopping: StoppingRule | None
    start: SearchStart
    earlier: tuple[Event, ...]
    budget: Budget
    initial: tuple[Config, ...]
    deterministic: bool

    def __reduce__(self) -> tuple[Any, ...]:
        """In one piece: Ray makes arrays that it carries apart read-only, which scipy's Sobol refuses."""
        values = tuple(getattr(self, field.name) for field in fields(self))
        return _received, (cloudpickle.dumps(values),)


def _received(values: bytes) -> Deciding:
    return Deciding(*cloudpickle.loads(values))


class SearchCoordinator(Coordinator, StudyActor):
    """Takes a study's journal up and goes on from there.

    Args:
        study: the resolved configuration.
        run: the run directory; a journal that is already there is continued.
        slots: how many trials run at a time.
        deciding: what it decides with.
    """

    def __init__(self, study: Mapping[str, Any], run: RunDirectory, slots: int, deciding: Deciding) -> None:
        self.study_name = study["study"]["name"]
        metrics = SearchMetrics(Labels.of(study, run))
        # Locked before it is read, so that nobody else writes in between.
        journal = MeasuredJournal(run.journal, metrics)
        past = read_journal(run.journal)
        metrics.feed(past)
        # As it was at the start, so that suggestions repeat.
        deciding.optimizer.plan(past[0]["concurrency"] if past else slots)
        begun, search = bool(past), study["search"]
        if not begun:
            past = [deciding.start.event(), *deciding.earlier]
            journal.append(*past)
        course = _course(study, run, deciding, journal, past)
        if begun:
            course.resume()
        rule = deciding.stopping.name if deciding.stopping else ""
        limit = search["time_limit"]
        desk = SearchDesk(
            course,
            _verdicts(deciding, study["seed"], past),
            rule,
            run.failures,
            lambda number: overdue(run, number, limit),
            greedy=lambda number: greedy(run, number),
            cuts=search["overdue"] == "stop",
            inbox=Inbox(run.added, deciding.optimizer.space),
        )
        desk.plan(slots)
        super().__init__(desk, slots)


def _course(
    study: Mapping[str, Any], run: RunDirectory, deciding: Deciding, journal: Journal, past: Sequence[Event]
) -> Course:
    """The study as far as its journal goes, with the configurations that it tries first."""
    search = study["search"]
    handling = Handling(
        study["cluster"]["max_failures"] if search["retries"] is None else search["retries"],
        run.checkpoints if keeps_checkpoints(search) else None,
        deciding.deterministic,
        search["repeats"],
        Wanted(search["finalists"], search["finalist_seeds"]),
    )
    course = Course(
        deciding.optimizer,
        deciding.constraints,
        deciding.budget,
        deciding.rungs.largest,
        journal,
        past,
        time.time,
        handling,
    )
    course.begin_with(deciding.initial)
    return course


def _verdicts(deciding: Deciding, seed: int, past: Sequence[Event]) -> Verdicts | None:
    """What stops trials early; None: nothing."""
    if deciding.stopping is None:
        return None
    judge = deciding.stopping.judge(deciding.rungs, seed)
    return Verdicts(judge, deciding.objectives, deciding.constraints, past)


def deciding_of(
    study: Mapping[str, Any], parts: SearchParts, slots: int, earlier: Sequence[Event] = ()
) -> Deciding:
    """What the coordinator of a study decides with.

    Args:
        study: the resolved configuration.
        slots: how many trials run at a time.
        earlier: results of earlier studies, for a new one.
    """
    columns = parts.space.codec.columns
    start = SearchStart(
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
        seconds=parts.budget.seconds,
    )
    return Deciding(
        parts.optimizer,
        parts.objectives,
        parts.constraints,
        parts.rungs,
        parts.stopping,
        start,
        tuple(earlier),
        parts.budget,
        parts.initial,
        deterministic(parts.workload),
    )
