"""A search's coordinator as a Ray actor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from orchestrator.engine.coordinator import Coordinator
from orchestrator.journal import Event, Journal, read_journal
from orchestrator.run_directory import RunDirectory
from orchestrator.search.assemble import SearchParts
from orchestrator.search.course import Course
from orchestrator.search.desk import SearchDesk, Verdicts
from orchestrator.search.history import SearchStart
from orchestrator.search.time_limit import overdue


class SearchCoordinator(Coordinator):
    """Takes a study's journal up and goes on from there.

    Args:
        study: the resolved configuration.
        run: the run directory; a journal that is already there is continued.
        slots: how many trials run at a time.
        parts: what the study is made of, its optimizer fresh. Built by the driver, so that this process needs
            nothing of the machine that training needs.
    """

    def __init__(self, study: Mapping[str, Any], run: RunDirectory, slots: int, parts: SearchParts) -> None:
        self._name = study["study"]["name"]
        past = read_journal(run.journal)
        journal = Journal(run.journal)
        # As it was at the start, so that suggestions repeat.
        parts.optimizer.plan(past[0]["concurrency"] if past else slots)
        course = Course(
            parts.optimizer,
            parts.constraints,
            study["search"]["trials"],
            parts.rungs.largest,
            journal,
            past,
            time.time,
            study["cluster"]["max_failures"],
        )
        verdicts = None
        if parts.stopping is not None:
            judge = parts.stopping.judge(parts.rungs, study["seed"])
            verdicts = Verdicts(judge, parts.objectives, parts.constraints, past)
        rule = parts.stopping.name if parts.stopping else ""
        limit = study["search"]["time_limit"]
        journal.append(_resumed(course) if past else _started(study, parts, slots))
        desk = SearchDesk(course, verdicts, rule, run.failures, lambda number: overdue(run, number, limit))
        super().__init__(desk, slots)

    def __repr__(self) -> str:
        return f"coordinator of {self._name}"


def _resumed(course: Course) -> Event:
    return {"event": "resume", "pending": list(course.pending), "time": time.time()}


def _started(study: Mapping[str, Any], parts: SearchParts, slots: int) -> Event:
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
