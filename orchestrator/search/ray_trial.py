"""A trial as a Ray Tune trainable: one process trains many, one after another."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.assemble import assemble_workload
from orchestrator.cluster import Share, prepare_device
from orchestrator.run_directory import RunDirectory
from orchestrator.search.assemble import constraints_of
from orchestrator.search.course import Assignment
from orchestrator.search.rungs import Rungs
from orchestrator.search.trial_run import Goal, Report, TrialRun, trial_seed
from orchestrator.trial import Suggestion, evaluated
from search_spaces import build_space
from workloads.base import Metrics, Objective, Workload

ASSIGNMENT = "assignment"
"""The key of a Tune trial's config that holds the :class:`Assignment`."""


class SearchTrial(tune.Trainable):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Trains one configuration after another; builds the workload once.

    Config: ``assignment``. Parameters: ``study`` (resolved configuration), ``run`` (directory).
    """

    def setup(self, config: dict[str, Any], study: Mapping[str, Any], run: RunDirectory) -> None:
        self._study, self._directory = study, run
        self._limit: float | None = study["search"]["time_limit"]
        self._device = prepare_device(Share.of(study["cluster"], "trial"), study["deterministic"])
        self._workload = assemble_workload(study, build_space(study["search_space"]))
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._assignment: Assignment = new_config[ASSIGNMENT]
        config = self._assignment.suggestion.config
        seed = trial_seed(self._study["seed"], config, self._assignment.repeat)
        self._goal = goal_of(self._study, self._workload, self._assignment)
        self._training = TrialRun(lambda: self._workload.start(config, seed, self._device), self._goal)
        return True

    def step(self) -> dict[str, Any]:
        """Train up to the next rung."""
        mark = overdue_mark(self._directory, self._assignment.number)
        with within(self._limit, self._training.seconds, mark):
            return message(self._training.advance(), self._goal)


def goal_of(study: Mapping[str, Any], workload: Workload, assignment: Assignment) -> Goal:
    """What a trial is to report, and when."""
    search, fidelity = study["search"], assignment.suggestion.fidelity
    rungs = Rungs.of(workload.fidelity, search["first_rung"], search["eta"])
    return Goal(
        rungs.up_to(fidelity),
        workload.objectives,
        constraints_of(workload, search["constraints"]),
        tested=fidelity in (None, rungs.largest),
        judged=bool(search["stopping"]),
    )


def message(report: Report, goal: Goal) -> dict[str, Any]:
    """A report as Tune's result; a failed trial tells schedulers nothing."""
    result: dict[str, Any] = {"report": report, "done": report.done}
    if not report.failure:
        result |= scheduled(report.fidelity, report.metrics, goal.objectives, goal.constraints)
    return result


def scheduled(
    fidelity: int, metrics: Metrics, objectives: Sequence[Objective], constraints: Sequence[Objective]
) -> dict[str, Any]:
    """What of a report schedulers look at."""
    trial = evaluated(Suggestion({}), metrics, objectives, constraints)
    seen = {"fidelity": fidelity, "losses": trial.losses, "violations": trial.violations}
    return seen | ({"loss": trial.losses[0]} if len(trial.losses) == 1 else {})


def overdue_mark(run: RunDirectory, number: int) -> Path:
    """The file that a trial leaves when its time is over: where in the program each of its threads was."""
    return run.tune / "overdue" / f"trial-{number}.txt"


def overdue(run: RunDirectory, number: int, limit: float | None) -> str | None:
    """Why a trial was ended, if it was because its time was over."""
    mark = overdue_mark(run, number)
    if limit is None or not mark.exists() or not mark.stat().st_size:
        return None
    return f"longer than search.time_limit ({limit:g} s); where it was: {mark}"


@contextmanager
def within(limit: float | None, spent: float, mark: Path) -> Iterator[None]:
    """End this process where the block takes longer than is left of ``limit`` seconds, and leave ``mark``.

    By a timer of the interpreter's own, which runs also where the block keeps the interpreter to itself.
    """
    if limit is None:
        yield
        return
    mark.parent.mkdir(parents=True, exist_ok=True)
    with mark.open("w", encoding="utf-8") as file:
        faulthandler.dump_traceback_later(max(limit - spent, 1e-3), exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    mark.unlink(missing_ok=True)
