"""A search study in step with its optimizer and its journal; a resume replays the journal."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.objective import losses
from orchestrator.optimizers.base import Optimizer
from orchestrator.run.journal import Event, Journal
from orchestrator.search.alike import FailingAlike
from orchestrator.search.outcome import Outcomes
from orchestrator.search.records import ended, suggested, trial_of
from orchestrator.search.told_optimizer import Thought, ToldOptimizer
from orchestrator.search.trial_run import Repeats, Report
from orchestrator.trial import Suggestion, Trial
from workloads.contract import Objective


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
    """Hands out trials and takes in their results; the journal has everything before anybody acts on it.

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
        self._optimizer = ToldOptimizer(optimizer)
        self._outcomes = Outcomes(optimizer.objectives, tuple(constraints))
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
        assignment = self.again()
        if assignment is None and self.may_ask:
            assignment = self.suggested(self.think())
        self.sync()
        return assignment

    def again(self) -> Assignment | None:
        """A trial that was suggested before and is to begin anew; None where there is none."""
        if not self._again or self._halted:
            return None
        self._alike.handed_out(self._again[0].number)
        return self._again.popleft()

    def give_back(self, number: int) -> None:
        """A trial that was handed out has not begun: hand it out next, with no attempt lost."""
        self._again.appendleft(self._assignment(number))

    @property
    def may_ask(self) -> bool:
        """Whether the optimizer is to be asked for another trial now."""
        return not (self.over or self._waiting or self._asked >= self._trials)

    def think(self) -> Thought:
        """Tell the optimizer of ended trials, and ask it; may run in a thread."""
        return self._optimizer.think()

    def suggested(self, thought: Thought) -> Assignment | None:
        """Journal the answer of :meth:`think`; the trial may run once :meth:`sync` has returned."""
        suggestion = self._take(thought)
        if suggestion is None:
            self._journal.append({"event": "waited", "told": thought.told})
            return None
        assignment = self._assignment(self._asked - 1)
        self._journal.append(suggested(assignment.number, suggestion, self._clock(), thought.told))
        self._alike.handed_out(assignment.number)
        return assignment

    def sync(self) -> None:
        """Return once all that was journalled is on the disk; before, nothing may be acted on."""
        self._journal.sync()

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
                "losses": losses(report.metrics, self._outcomes.objectives).tolist(),
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
        complete = report.fidelity >= (suggestion.fidelity or self._largest)
        stopped = "" if complete else f"{stopped_by} after {report.fidelity}"
        self._end(number, self._outcomes.ended(suggestion, report, stopped), dict(report.test))

    def fail(self, number: int, reason: str, seconds: float) -> None:
        """A trial had to be ended, with its process, through its configuration's fault."""
        report = Report(0, {}, seconds, failure=reason)
        self._end(number, self._outcomes.ended(self._running[number], report), {})

    def lose(self, number: int, reason: str, seconds: float, process: str = "") -> None:
        """A trial is lost, with its process, node or memory: it begins anew, but not for ever.

        Args:
            process: which one trained it, in words; empty where that is unknown.
        """
        if self._halted:
            return
        suggestion, self._attempts[number] = self._running[number], self._attempts[number] + 1
        attempt = self._attempts[number]
        event = {"event": "lost", "trial": number, "attempt": attempt, "reason": reason, "process": process}
        self._journal.append(event | {"seconds": seconds, "time": self._clock()})
        self._failed_alike(number, reason)
        if attempt <= self._retries:
            self._again.append(self._assignment(number))
            return
        self._end(number, self._outcomes.lost(suggestion, reason, seconds), {})

    def close(self) -> None:
        """Close the journal, with all of it on the disk; nothing may be called after it."""
        self._halted = True
        try:
            self._journal.sync()
        finally:
            self._journal.close()

    def halt(self) -> None:
        """Hand out no more trials, and forget about those that run; a resumed study begins them anew."""
        self._halted = True

    def _end(self, number: int, trial: Trial, test: dict[str, float]) -> None:
        if self._halted:
            return
        self._journal.append(ended(number, trial, test, self._clock()))
        self._close(number, trial)
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

    def _take(self, thought: Thought) -> Suggestion | None:
        if not thought.suggestions:
            # What ended while the optimizer was thinking may be what it waits for.
            self._waiting = bool(self._running) and not self._optimizer.has_news
            self._exhausted = not self._running and not self._optimizer.has_news
            return None
        suggestion = thought.suggestions[0]
        self._running[self._asked] = suggestion
        self._asked += 1
        return suggestion

    def _close(self, number: int, trial: Trial) -> None:
        suggestion = self._running.pop(number)
        if trial.status == "lost":
            self._lost[number] = suggestion
        elif trial.usable:
            self._alike.worked()
        self._waiting = False
        self._optimizer.end(trial)

    def _replay(self, past: Sequence[Event]) -> None:
        """Ask and tell in the order in which the journal says it happened."""
        for event in past:
            if event["event"] == "suggested":
                self._suggest_again(event)
                self._assignment(event["trial"])
            elif event["event"] == "waited":
                self._wait_again(event)
            elif event["event"] == "ended":
                number = event["trial"]
                self._close(number, trial_of(event, self._running[number]))
            elif event["event"] == "resume":
                self._revive(event["pending"])

    def _revive(self, numbers: Iterable[int]) -> None:
        """Trials that stayed lost are tried again."""
        for number in self._lost.keys() & set(numbers):
            self._running[number] = self._lost.pop(number)

    def _suggest_again(self, event: Event) -> None:
        """Ask for a trial that the journal has; where another is suggested now, the journal wins."""
        asked = self._take(self._optimizer.think_again(event.get("told")))
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

    def _wait_again(self, event: Event) -> None:
        asked = self._take(self._optimizer.think_again(event.get("told")))
        if asked is not None:
            self._optimizer.withdraw(asked)
            self._asked -= 1
            del self._running[self._asked]
        self._waiting = bool(self._running) and not self._optimizer.has_news
