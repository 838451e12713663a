"""Any optimizer as Ray Tune's searcher: the course of a study is in charge, Tune runs its trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from orchestrator.search.course import Assignment, Course
from orchestrator.search.ray_ends import cause_of_loss
from orchestrator.search.ray_trial import ASSIGNMENT
from orchestrator.search.trial_run import Report


class RaySearcher(Searcher):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Hands the course's assignments to Tune, and Tune's results to the course.

    Its state is the study's journal; what Tune would save of it is nothing.

    Args:
        course: the study's course.
        stopped_by: name of the rule that stops trials early.
        failures: the file that tracebacks are appended to.
    """

    def __init__(self, course: Course, stopped_by: str, failures: Path) -> None:
        super().__init__()
        self._course, self._stopped_by, self._failures = course, stopped_by, failures
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        assignment = self._course.next()
        if assignment is None:
            return str(Searcher.FINISHED) if self._course.over else None
        self._numbers[trial_id] = assignment.number
        return {ASSIGNMENT: assignment}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        self._course.report(self._numbers[trial_id], result["report"])

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """The trial's last result; for one that was lost, :class:`Losses` knows more."""
        if error or not result or "report" not in result:
            return
        report: Report = result["report"]
        if report.traceback:
            with self._failures.open("a", encoding="utf-8") as file:
                file.write(f"trial {self._numbers[trial_id]}\n{report.traceback}\n")
        self._course.report(self._numbers[trial_id], report)
        self._course.end(self._numbers[trial_id], report, self._stopped_by)

    def save(self, checkpoint_path: str) -> None:
        """The journal has it."""

    def restore(self, checkpoint_path: str) -> None:
        """The journal has it."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Losses(tune.Callback):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Tells the course of trials that ended with their process.

    Args:
        course: the study's course.
        blame: by number, why a trial's configuration is to blame for that; None: it is not, the trial was
            lost.
        forget: called with the Tune trial of each lost one; a scheduler forgets what it reported.
    """

    def __init__(
        self, course: Course, blame: Callable[[int], str | None], forget: Callable[[Any], None]
    ) -> None:
        self._course, self._blame, self._forget = course, blame, forget
        self._started: dict[str, float] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        del iteration, trials, info
        self._started[trial.trial_id] = time.monotonic()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        del iteration, trials, info
        assignment: Assignment = trial.config[ASSIGNMENT]
        now = time.monotonic()
        seconds = now - self._started.get(trial.trial_id, now)
        reason = self._blame(assignment.number)
        if reason is not None:
            self._course.fail(assignment.number, reason, seconds)
            return
        self._forget(trial)
        self._course.lose(assignment.number, cause_of_loss(trial), seconds)

    def __getstate__(self) -> dict[str, Any]:
        return {}
