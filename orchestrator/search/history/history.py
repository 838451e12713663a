"""What happened in a search study, read from its journal."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from orchestrator.archive import Archive
from orchestrator.objective import in_own_direction
from orchestrator.run.history import StudyHistory
from orchestrator.run.journal import Event
from orchestrator.run.study_time import StudyTime
from orchestrator.search.finals.finals import Finals, Judged
from orchestrator.search.history.records import gone_back
from orchestrator.search.history.start import SearchStart
from orchestrator.search.history.throughput import Throughput
from orchestrator.search.trials.trained import Trained
from orchestrator.search.trials.trial_record import TrialRecord
from orchestrator.trial import Trial

__all__ = ["SETTLED_TRIALS", "SearchHistory", "TrialRecord"]

SETTLED_TRIALS = 10
"""From this many feasible trials on, an inferred reference point moves only outwards, so that no hypervolume
falls. Earlier, a single bad trial would put it far beyond all others for ever."""


class SearchHistory(StudyHistory):
    """A search study as far as its journal goes; grows by :meth:`extend`.

    Attributes:
        start: what the study is.
        records: all trials by number.
        finals: the evaluations of the best ones after the search; these are none of the trials.
        ended: those that have ended, in that order; each has a trial.
        archive: their results, in the same order.
        statuses: how many trials ended in which way.
        failures: why trials failed, by their number, in the order of their ends.
        lost: why trials were lost for good, likewise.
        anew: why trials could not go on from their checkpoints, by their number.
        trained: how much trials have trained.
        unsaved: why the workload's trials cannot be saved; empty where they can, or need not be.
        entered: whether the last trial to end is in the Pareto set.
        displaced: numbers of the trials that it displaced from there.
        stopped: why the study was interrupted, unless it went on since.
        spent: which budget was spent, and on what; empty while none was.
        gave_up: why the optimizer has no more suggestions; empty while it has.
        final: the event of that name once the study is complete.
    """

    kind = "search"

    def __init__(self, start: SearchStart) -> None:
        self.start = start
        self.records: dict[int, TrialRecord] = {}
        self.finals = Finals()
        self.ended: list[TrialRecord] = []
        self.archive = Archive(start.objectives, start.constraints, full=start.rungs[-1])
        self.statuses: Counter[str] = Counter()
        self.failures: dict[int, str] = {}
        self.lost: dict[int, str] = {}
        self.entered, self.displaced = False, tuple[int, ...]()
        self.stopped: str | None = None
        self.spent = self.gave_up = self.unsaved = ""
        self.anew: dict[int, str] = {}
        self.final: Event | None = None
        self._pending: dict[int, TrialRecord] = {}
        self._feasible, self._corner = 0, np.full(len(start.objectives), np.nan)
        self._time = StudyTime(start.time)
        self.trained = Trained()
        self._throughput = Throughput(start.concurrency)

    @classmethod
    def begun(cls, event: Event) -> Self:
        """The history of a study that has only begun, with this event."""
        return cls(SearchStart.of(event))

    def take(self, event: Event) -> None:
        """Take in the next event."""
        self._time.take(event)
        if not self.finals.take(event):
            self.trained.take(event)
            self._take(event)
        elif event["event"] == "ended":
            self._throughput.ended(event)

    @property
    def trials(self) -> list[Trial]:
        """What has ended, in that order."""
        return list(self.archive.trials)

    @property
    def pending(self) -> list[TrialRecord]:
        """Trials that were suggested and have not ended, by number."""
        return [self._pending[number] for number in sorted(self._pending)]

    def record(self, number: int) -> TrialRecord:
        """A trial, or an evaluation of a finalist."""
        return self.records.get(number) or self.finals.runs[number]

    @property
    def elapsed(self) -> float:
        """Seconds that the study had been running at its latest event, pauses before a resume left out."""
        return self._time.seconds

    @property
    def rate(self) -> float:
        """Ended trials per second over the last ones; NaN until it is known."""
        return self._throughput.rate

    @property
    def seconds_left(self) -> float:
        """Until its last trial has ended at the present rate, or its time is over; NaN while unknown.

        Once finalists are evaluated: until the last evaluation of theirs, which no limit of time cuts short.
        """
        if self.finals.plan is not None:
            return self.finals.left / self.rate
        trials = (self.start.trials - len(self.ended)) / self.rate
        if self.start.seconds is None:
            return trials
        return float(np.fmin(trials, max(self.start.seconds - self.elapsed, 0.0)))

    def pareto(self) -> list[TrialRecord]:
        """The non-dominated feasible trials, trained fully, by their first objective.

        Where finalists were evaluated again: those of them, with the means of that in place of their results.
        """
        judged = self.judged
        trials = sorted(judged.archive.pareto_set, key=lambda trial: trial.losses)
        return [judged.records[trial.suggestion.token] for trial in trials]

    def knee(self) -> TrialRecord | None:
        """The best trade-off of the Pareto set; the best trial where there is one objective."""
        judged = self.judged
        best = judged.archive.knee
        return None if best is None else judged.records[best.suggestion.token]

    @property
    def judged(self) -> Judged:
        """What decides which trials are the best: the finalists, once they have been evaluated again."""
        return self.finals.judged(self.records, self.archive) or Judged(self.records, self.archive)

    @property
    def settled(self) -> bool:
        """Whether the reference point, and so the hypervolume, can be compared with later ones."""
        configured = all(objective.reference is not None for objective in self.start.objectives)
        return configured or self._feasible >= SETTLED_TRIALS

    @property
    def corner(self) -> NDArray[np.float64]:
        """The corner that bounds the hypervolume, to be minimised, shape ``(m,)``; NaN where unknown."""
        return self._corner if self._feasible >= SETTLED_TRIALS else self.archive.reference

    def reference(self) -> NDArray[np.float64]:
        """The same in the objectives' own directions."""
        corner = zip(self.corner, self.start.objectives, strict=True)
        return np.array([in_own_direction(value, objective) for value, objective in corner])

    def hypervolume(self) -> float:
        """What the Pareto set dominates within the reference point; 0 while there is none."""
        return self.judged.archive.hypervolume(self.corner)

    def hypervolume_over_time(self) -> NDArray[np.float64]:
        """The same after each trial that has ended, for the present reference point, shape ``(n,)``."""
        return self.archive.hypervolume_over_time(self.corner)

    def best(self) -> NDArray[np.float64]:
        """The best value of each objective among feasible trials, in its own direction; NaN: none yet."""
        losses = self.judged.archive.front
        best = losses.min(axis=0) if len(losses) else np.full(len(self.start.objectives), np.nan)
        pairs = zip(best, self.start.objectives, strict=True)
        return np.array([in_own_direction(value, objective) for value, objective in pairs])

    def _take(self, event: Event) -> None:
        match event["event"]:
            case "suggested":
                number = event["trial"]
                self.records[number] = self._pending[number] = TrialRecord.of(event)
            case "report":
                self._throughput.training(event)
                self.records[event["trial"]].report(event)
            case "lost":
                self._go_back(event)
                self.records[event["trial"]].losses += 1
            case "anew":
                self._go_back(event)
                self.anew[event["trial"]] = event["reason"]
            case "unsaved" if not event.get("again"):
                self.unsaved = event["reason"]
            case "ended":
                self._end(event)
            case "resume":
                self._resume(event)
            case "waited":
                self.gave_up = event.get("reason", "")
            case "spent":
                self.spent = event["reason"]
            case "stopped":
                self.stopped = event["reason"]
            case "final":
                self.final, self.stopped = event, None

    def _end(self, event: Event) -> None:
        record = self._pending.pop(event["trial"])
        trial, record.elapsed = record.end(event), self.elapsed
        self.ended.append(record)
        self.displaced = tuple(left.suggestion.token for left in self.archive.add([trial]))
        self.entered = len(self.ended) - 1 in self.archive.front_rows[-1:]
        self._count(trial, record.number)
        self._throughput.ended(event)
        # A trial without losses is in no comparison, though its violations may hold.
        if trial.feasible and np.isfinite(self.archive.losses[-1]).all():
            self._feasible += 1
            if self._feasible == SETTLED_TRIALS or (self.entered and self._feasible > SETTLED_TRIALS):
                self._corner = np.fmax(self._corner, self.archive.reference)

    def _count(self, trial: Trial, number: int) -> None:
        self.statuses[trial.status] += 1
        if trial.status == "failed":
            self.failures[number] = trial.reason
        elif trial.status == "lost":
            self.lost[number] = trial.reason

    def _reopen(self, numbers: set[int]) -> None:
        """Trials that had ended as lost begin anew."""
        rows = [row for row, record in enumerate(self.ended) if record.number not in numbers]
        if len(rows) == len(self.ended):
            return
        for number in numbers & self.lost.keys():
            self._pending[number] = self.records[number]
            self.records[number].reopen()
            del self.lost[number]
            self.statuses["lost"] -= 1
        trials = self.trials
        self.ended = [self.ended[row] for row in rows]
        self.archive = Archive(self.start.objectives, self.start.constraints, full=self.start.rungs[-1])
        self.archive.add(trials[row] for row in rows)

    def _go_back(self, event: Event) -> None:
        """What trials reported beyond what they go on from is void."""
        for number, fidelity in gone_back(event).items():
            if number in self.records:
                self.records[number].go_back(fidelity)

    def _resume(self, event: Event) -> None:
        self._go_back(event)
        self._reopen(set(event["pending"]))
        self.stopped, self.final, self.spent = None, None, ""
        trials, seconds = event.get("trials", self.start.trials), event.get("seconds", self.start.seconds)
        self.start = replace(self.start, trials=trials, seconds=seconds)
        self._throughput.pause(event["time"])
