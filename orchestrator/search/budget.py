"""When a search has had enough: the budgets besides the number of its trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.archive import Archive
from orchestrator.objective import in_own_direction
from orchestrator.run.journal import Event
from orchestrator.run.study_time import StudyTime
from orchestrator.search.finals.finals import Finals
from orchestrator.search.history.records import trial_of
from orchestrator.search.trials.trained import Trained
from orchestrator.text import number
from orchestrator.trial import Suggestion, Trial
from workloads.contract import Objective


@dataclass(frozen=True)
class Budget:
    """What a search may spend; it ends with whichever comes first.

    Args:
        trials: how many are tried.
        seconds: how long it runs, pauses before a resume left out.
        fidelity_units: training of all trials together, that of lost ones too, in the workload's unit.
        target: losses, one per objective, which a feasible, fully trained trial has to reach together;
            infinity where any value will do. None: there is none.
        patience: ended trials in a row that improve nothing.
    """

    trials: int
    seconds: float | None = None
    fidelity_units: int | None = None
    target: tuple[float, ...] | None = None
    patience: int | None = None

    def event(self) -> dict[str, Any]:
        """As the journal has it."""
        return {**vars(self), "target": None if self.target is None else list(self.target)}

    @classmethod
    def of(cls, event: dict[str, Any]) -> Self:
        """The budget that :meth:`event` describes."""
        return cls(**{**event, "target": None if event["target"] is None else tuple(event["target"])})


class Spending:
    """What a search has spent, folded from its journal's events; what its finalists take is not counted.

    Args:
        budget: what it may spend.
        objectives: what is optimised.
        constraints: metrics that must keep a bound, besides the objectives' own bounds.
        largest: the fidelity of full training.
        repeats: with how many seeds each trial is trained.
    """

    def __init__(
        self,
        budget: Budget,
        objectives: Sequence[Objective],
        constraints: Sequence[Objective],
        largest: int,
        repeats: int = 1,
    ) -> None:
        self._budget, self._objectives, self._repeats = budget, tuple(objectives), repeats
        self._archive = Archive(objectives, constraints, full=largest)
        self._time: StudyTime | None = None
        self._trained = Trained()
        self._idle, self._reached = 0, ""
        self._finals = Finals()

    def take(self, events: Iterable[Event]) -> None:
        """Take in further events, oldest first; unknown kinds are skipped."""
        for event in events:
            if self._time is None and "time" in event:
                self._time = StudyTime(event["time"])
            if self._finals.take(event):
                self.go_on(event["time"])  # The time since the event before does not count.
                continue
            self._trained.take(event)
            if event["event"] == "ended":
                self._end(event)
            if self._time is not None:
                self._time.take(event)

    def go_on(self, time: float) -> None:
        """The study goes on after a pause, at ``time`` in seconds since the epoch."""
        if self._time is not None:
            self._time.go_on(time)

    @property
    def units(self) -> int:
        """Training of all trials so far, with every seed."""
        return self._trained.total * self._repeats

    def verdict(self, time: float | None = None) -> str:
        """Which budget is spent, and on what; empty while none is.

        Args:
            time: seconds since the epoch; None: when the last event was written.
        """
        budget = self._budget
        if self._reached:
            return f"search.target: {self._reached}"
        seconds = self._seconds(time)
        if budget.seconds is not None and seconds >= budget.seconds:
            return f"search.seconds: {number(seconds)} s have passed"
        if budget.fidelity_units is not None and self.units >= budget.fidelity_units:
            return f"search.fidelity_units: {self.units} are trained"
        if budget.patience is not None and self._idle >= budget.patience:
            return f"search.patience: the last {self._idle} trials improved nothing"
        return ""

    def _seconds(self, time: float | None) -> float:
        if self._time is None:
            return 0.0
        return self._time.seconds if time is None else self._time.at(time)

    def _end(self, event: Event) -> None:
        place = event["trial"]
        trial = trial_of(event, Suggestion({}, None, place))
        if trial.status == "lost" or (self._budget.patience is None and self._budget.target is None):
            return
        before = self._front
        self._archive.add([trial])
        improved = self._front != before
        self._idle = 0 if improved else self._idle + 1
        if improved and self._budget.target is not None and not self._reached:
            self._reached = self._reaches(trial, self._budget.target)

    @property
    def _front(self) -> set[tuple[float, ...]]:
        return set(map(tuple, self._archive.front.tolist()))

    def _reaches(self, trial: Trial, target: Sequence[float]) -> str:
        if any(loss > wanted for loss, wanted in zip(trial.losses, target, strict=True)):
            return ""
        pairs = zip(trial.losses, self._objectives, strict=True)
        values = (f"{one.name} {number(in_own_direction(loss, one))}" for loss, one in pairs)
        return f"trial {trial.suggestion.token} has {', '.join(values)}"
