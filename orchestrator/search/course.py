"""A search study's course: the optimizer and its journal in step, so that each gives back the other."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.journal import Event, Journal
from orchestrator.objective import MissingMetricError, losses
from orchestrator.search.alike import FailingAlike
from orchestrator.search.optimizer import Optimizer
from orchestrator.search.records import ended, suggested, trial_of
from orchestrator.search.trial_run import Repeats, Report
from orchestrator.trial import Suggestion, Trial, evaluated, failed, lost
from workloads.base import Objective


@dataclass(frozen=True)
class Assignment:
    """A trial to run.

    Args:
        number: the trial's number in the study.
        suggestion: what is to be tried.
        attempt: how often it was lost before, since the study was last started.
        repeat: how often the same configuration was suggested to the same fidelity before.
    """

    number: int
    suggestion: Suggestion
    attempt: int = 0
    repeat: int = 0


class Course:
    """Hands out trials and takes in what comes of them; nothing happens that the journal does not have first.

    Args:
        optimizer: freshly constructed.
        constraints: metrics that must keep a bound, besides the objectives' own bounds.
        trials: how many trials the study has.
        largest: the fidelity of full training.
        journal: where everything is written; open.
        past: the journal's events so far; empty for a new study.
        clock: seconds since the epoch.
        retries: how often a trial that was lost is tried again.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        constraints: Sequence[Objective],
        trials: int,
        largest: int,
        journal: Journal,
        past: Sequence[Event],
        clock: Callable[[], float],
        retries: int = 3,
    ) -> None:
        self._optimizer, self._constraints = optimizer, tuple(constraints)
        self._trials, self._largest, self._retries = trials, largest, retries
        self._journal, self._clock = journal, clock
        self._running: dict[int, Suggestion] = {}
        self._lost: dict[int, Suggestion] = {}
        self._attempts: Counter[int] = Counter()
        self._asked, self._waiting, self._exhausted, self._halted = 0, False, False, False
        self._alike, self._hopeless = FailingAlike(), ""
        self._departures: list[int] = []
        self._repeats, self._repeat = Repeats(), dict[int, int]()
        self._replay(past)
        self._revive(self._lost)
        self._again = deque(map(self._assignment, sorted(self._running)))

    @property
    def pending(self) -> tuple[int, ...]:
        """Trials that were suggested and have not ended, and at the start those that were lost."""
        return tuple(sorted(self._running))

    @property
    def departures(self) -> tuple[int, ...]:
        """Trials that the optimizer would now suggest otherwise than the journal has them."""
        return tuple(self._departures)

    @property
    def halted(self) -> bool:
        """Whether the study was interrupted, or ended early because nothing works."""
        return self._halted

    @property
    def hopeless(self) -> str:
        """Why the study was halted, if that was because nothing works."""
        return self._hopeless

    @property
    def over(self) -> bool:
        """Whether no trial will be handed out any more; one that runs may be lost and handed out again."""
        all_asked = self._exhausted or self._asked >= self._trials
        return self._halted or (all_asked and not self._running)

    @property
    def finished(self) -> bool:
        """Whether every trial that the study can have has ended."""
        return not self._halted and self.over

    def next(self) -> Assignment | None:
        """The next trial to run; None where there is none now."""
        if self._again and not self._halted:
            self._alike.handed_out(self._again[0].number)
            return self._again.popleft()
        if self.over or self._waiting or self._asked >= self._trials:
            return None
        suggestion = self._ask()
        if suggestion is None:
            self._journal.append({"event": "waited"})
            return None
        assignment = self._assignment(self._asked - 1)
        self._journal.append(suggested(assignment.number, suggestion, self._clock()))
        self._journal.sync()
        self._alike.handed_out(assignment.number)
        return assignment

    def report(self, number: int, report: Report) -> None:
        """A trial has come to a rung."""
        if self._halted or report.failure:
            return
        self._journal.append(
            {
                "event": "report",
                "trial": number,
                "fidelity": report.fidelity,
                "metrics": dict(report.metrics),
                "losses": losses(report.metrics, self._optimizer.objectives).tolist(),
                "seconds": report.seconds,
                "time": self._clock(),
            }
        )

    def end(self, number: int, report: Report, stopped_by: str = "") -> None:
        """A trial will train no further.

        Args:
            report: its last.
            stopped_by: the rule that stopped it, if it has not come to its end.
        """
        suggestion = self._running[number]
        if report.failure:
            trial = self._failed(suggestion, report.failure, report)
        else:
            complete = report.fidelity >= (suggestion.fidelity or self._largest)
            trial = self._evaluated(
                suggestion, report, "" if complete else f"{stopped_by} after {report.fidelity}"
            )
        self._end(number, trial, dict(report.test))

    def fail(self, number: int, reason: str, seconds: float) -> None:
        """A trial had to be ended, with its process, through its configuration's fault."""
        trial = self._failed(self._running[number], reason, Report(0, {}, seconds))
        self._end(number, trial, {})

    def lose(self, number: int, reason: str, seconds: float) -> None:
        """A trial is lost, with its process, node or memory: it begins anew, but not for ever."""
        if self._halted:
            return
        suggestion, self._attempts[number] = self._running[number], self._attempts[number] + 1
        attempt = self._attempts[number]
        event = {"event": "lost", "trial": number, "attempt": attempt, "reason": reason, "seconds": seconds}
        self._journal.append(event | {"time": self._clock()})
        self._failed_alike(number, reason)
        if attempt <= self._retries:
            self._again.append(self._assignment(number))
            return
        trial = lost(suggestion, reason, self._optimizer.objectives, self._constraints, seconds=seconds)
        self._end(number, trial, {})

    def halt(self) -> None:
        """Hand out no more trials, and forget about those that run; a resumed study begins them anew."""
        self._halted = True

    def _end(self, number: int, trial: Trial, test: dict[str, float]) -> None:
        if self._halted:
            return
        self._journal.append(ended(number, trial, test, self._clock()))
        self._journal.sync()
        self._tell(number, trial)
        if trial.status == "failed":
            self._failed_alike(number, trial.reason)

    def _failed_alike(self, number: int, reason: str) -> None:
        """Halt where nothing works and something is left to try."""
        self._alike.failed(number, reason)
        verdict = self._alike.verdict()
        if verdict is not None and not self.over:
            self._halted, self._hopeless = True, verdict

    def _assignment(self, number: int) -> Assignment:
        suggestion = self._running[number]
        if number not in self._repeat:
            self._repeat[number] = self._repeats.count(suggestion.config, suggestion.fidelity)
        return Assignment(number, suggestion, self._attempts[number], self._repeat[number])

    def _ask(self) -> Suggestion | None:
        suggestions = self._optimizer.ask(1)
        if not suggestions:
            self._waiting = bool(self._running)
            self._exhausted = not self._running
            return None
        self._running[self._asked] = suggestions[0]
        self._asked += 1
        return suggestions[0]

    def _tell(self, number: int, trial: Trial) -> None:
        suggestion = self._running.pop(number)
        if trial.status == "lost":
            self._lost[number] = suggestion
        elif trial.usable:
            self._alike.worked()
        self._waiting = False
        if suggestion.token is not None:
            self._optimizer.tell([trial])
        elif trial.status != "lost":
            self._optimizer.observe([trial])

    def _replay(self, past: Sequence[Event]) -> None:
        """Ask and tell as the journal has it."""
        for event in past:
            if event["event"] == "suggested":
                self._suggest_again(event)
                self._assignment(event["trial"])
            elif event["event"] == "waited":
                self._wait_again()
            elif event["event"] == "ended":
                number = event["trial"]
                self._tell(number, trial_of(event, self._running[number]))
            elif event["event"] == "resume":
                self._revive(event["pending"])

    def _revive(self, numbers: Iterable[int]) -> None:
        """Trials that stayed lost are tried again."""
        for number in self._lost.keys() & set(numbers):
            self._running[number] = self._lost.pop(number)

    def _suggest_again(self, event: Mapping[str, Any]) -> None:
        """Ask for a trial that the journal has; where another is suggested now, the journal wins."""
        asked = self._ask()
        if asked is not None and (dict(asked.config), asked.fidelity) == (event["config"], event["fidelity"]):
            return
        if asked is not None:
            self._optimizer.withdraw(asked)
        else:
            self._asked += 1
            self._waiting = self._exhausted = False
        # Without a token: its result will be observed.
        self._running[event["trial"]] = Suggestion(event["config"], event["fidelity"])
        self._departures.append(event["trial"])

    def _wait_again(self) -> None:
        asked = self._ask()
        if asked is not None:
            self._optimizer.withdraw(asked)
            self._asked -= 1
            del self._running[self._asked]
        self._waiting = bool(self._running)

    def _evaluated(self, suggestion: Suggestion, report: Report, stopped: str) -> Trial:
        try:
            return evaluated(
                suggestion,
                report.metrics,
                self._optimizer.objectives,
                self._constraints,
                status="stopped" if stopped else "finished",
                fidelity=report.fidelity,
                reason=stopped,
                seconds=report.seconds,
            )
        except MissingMetricError as error:
            return self._failed(suggestion, str(error), report)

    def _failed(self, suggestion: Suggestion, reason: str, report: Report) -> Trial:
        return failed(
            suggestion,
            reason,
            self._optimizer.objectives,
            self._constraints,
            fidelity=report.fidelity,
            metrics=report.metrics,
            seconds=report.seconds,
        )
