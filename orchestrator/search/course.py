"""A search study in step with its optimizer and its journal; a resume replays the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from orchestrator.objective import losses
from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.untried import nothing_left
from orchestrator.run.journal import Event, Journal
from orchestrator.search.alike import FailingAlike
from orchestrator.search.budget import Budget, Spending
from orchestrator.search.given import Given
from orchestrator.search.outcome import Outcomes
from orchestrator.search.records import ended, observed_trials, reported, resumed, suggested, trial_of
from orchestrator.search.running import Assignment, RunningTrials
from orchestrator.search.told_optimizer import Thought, ToldOptimizer
from orchestrator.search.trial_run import Report
from orchestrator.trial import Suggestion, Trial
from search_spaces import Config
from workloads.contract import Objective

__all__ = ["Assignment", "Course"]


class Course:
    """Hands out trials and takes in their results; the journal has everything before anybody acts on it.

    Args:
        optimizer: freshly constructed.
        constraints: metrics that must keep a bound, besides the objectives' own bounds.
        budget: when the study ends; a number: of trials.
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
        budget: Budget | int,
        largest: int,
        journal: Journal,
        past: Sequence[Event],
        clock: Callable[[], float],
        retries: int = 3,
    ) -> None:
        self._algorithm, self._optimizer = optimizer, ToldOptimizer(optimizer)
        self._outcomes = Outcomes(optimizer.objectives, tuple(constraints))
        self._budget = Budget(budget) if isinstance(budget, int) else budget
        self._spending = Spending(self._budget, optimizer.objectives, constraints, largest)
        self._largest, self._retries = largest, retries
        self._journal, self._clock = journal, clock
        self._given, self._trials = Given(), RunningTrials()
        self._thoughts = deque[Thought]()
        self._waiting, self._exhausted, self._halted, self._spent = False, False, False, False
        self._alike, self._hopeless = FailingAlike(), ""
        self._departures: list[int] = []
        self._recalled = 0
        self._replay(past)
        self._trials.revive()
        self._spending.go_on(clock())
        self._again = deque(map(self._trials.assignment, self._trials.numbers))

    @property
    def pending(self) -> tuple[int, ...]:
        """Trials that were suggested and have not ended, and at the start those that were lost."""
        return self._trials.numbers

    @property
    def departures(self) -> tuple[int, ...]:
        """Trials that the optimizer would now suggest otherwise than the journal has them."""
        return tuple(self._departures)

    @property
    def recalled(self) -> int:
        """How many suggestions were taken from the journal in a way that later ones may differ for it."""
        return 0 if self._algorithm.recalls_exactly else self._recalled

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
        if self._spent:
            return self._halted or len(self._trials) == len(self._again)
        return self._halted or (self._all_suggested and not self._trials)

    @property
    def finished(self) -> bool:
        """Whether every trial that the study can have has ended."""
        return not self._halted and self.over

    @property
    def spent(self) -> bool:
        """Whether a budget is spent: no trial begins, and those that run end at their next report."""
        return self._spent

    @property
    def added(self) -> frozenset[str]:
        """The files in which people have handed over configurations."""
        return self._given.files

    def resume(self) -> None:
        """Journal that the study goes on."""
        self._write(resumed(self.pending, self._budget.trials, self._budget.seconds, self._clock()))

    def next(self) -> Assignment | None:
        """The next trial to run; None where there is none now."""
        self.check_budget()
        assignment = self.again() or self.given()
        if assignment is None and self.may_ask:
            self.keep(self.think())
            assignment = self.suggested()
        self.sync()
        return assignment

    def check_budget(self) -> None:
        """Look whether a budget is spent by now."""
        if self._spent or self._halted:
            return
        if reason := self._spending.verdict(self._clock()):
            self._write({"event": "spent", "reason": reason, "time": self._clock()})
            self._spent = True

    def again(self) -> Assignment | None:
        """A trial that was suggested before and is to begin anew; None where there is none."""
        if not self._again or self._halted or self._spent:
            return None
        self._alike.handed_out(self._again[0].number)
        return self._again.popleft()

    def give_back(self, number: int) -> None:
        """A trial that was handed out has not begun: hand it out next, with no attempt lost."""
        self._again.appendleft(self._trials.assignment(number))

    def begin_with(self, configs: Sequence[Config]) -> None:
        """Try ``configs`` before the optimizer is asked, except those that the journal has already."""
        self._given.begin_with(configs)

    def add(self, file: str, configs: Sequence[Config]) -> None:
        """Journal configurations that people have handed over in ``file``; they are tried next."""
        event = {"event": "added", "file": file, "configs": list(configs), "time": self._clock()}
        self._write(event)
        self._given.add(event)

    def given(self) -> Assignment | None:
        """A trial that somebody else than the optimizer wants, journalled; None where there is none."""
        if not self._given or self.over or self._spent or self._all_suggested:
            return None
        config, source = self._given.pop()
        return self._begin(Suggestion(config), source=source)

    @property
    def may_ask(self) -> bool:
        """Whether the optimizer is to be asked for another trial now."""
        return self.room > 0

    @property
    def room(self) -> int:
        """For how many more trials the optimizer may be asked now."""
        if self.over or self._spent or self._waiting or self._all_suggested:
            return 0
        if self._thoughts and self._thoughts[-1].suggestion is None:
            return 0
        return self._budget.trials - self._trials.count - len(self._thoughts)

    @property
    def ready(self) -> int:
        """How many suggestions lie ready."""
        return sum(thought.suggestion is not None for thought in self._thoughts)

    def think(self, count: int = 1) -> list[Thought]:
        """Tell the optimizer of ended trials, and ask it; may run in a thread."""
        return self._optimizer.think(count)

    def keep(self, thoughts: Iterable[Thought]) -> None:
        """Keep answers of :meth:`think` until trials are wanted; the journal has each when that is so."""
        self._thoughts.extend(thoughts)

    def suggested(self) -> Assignment | None:
        """Journal the next answer that was kept; its trial may run once :meth:`sync` has returned.

        None where none was kept, or where the optimizer wants to be told of pending trials first.
        """
        if not self._thoughts or self._spent or self.over or self._all_suggested:
            return None
        thought = self._thoughts.popleft()
        suggestion = self._answer(thought)
        if suggestion is not None:
            return self._begin(suggestion, thought.told)
        event: Event = {"event": "waited", "told": thought.told}
        if self._exhausted:
            event["reason"] = nothing_left(self._algorithm, self._trials.configurations)
        self._write(event)
        return None

    def sync(self) -> None:
        """Return once all that was journalled is on the disk; before, nothing may be acted on."""
        self._journal.sync()

    def report(self, number: int, report: Report) -> None:
        """A trial has come to a rung."""
        if self._halted or report.failure:
            return
        found = losses(report.metrics, self._outcomes.objectives).tolist()
        self._write(reported(number, report, found, self._clock()))
        self._trials.reported(number, report)
        self._given.reported(number, report.fidelity, report.metrics)
        self.check_budget()

    def end(self, number: int, report: Report, stopped_by: str = "") -> None:
        """A trial will train no further.

        Args:
            report: its last.
            stopped_by: the rule that stopped it, if it has not come to its end.
        """
        suggestion = self._trials[number]
        complete = report.fidelity >= (suggestion.fidelity or self._largest)
        stopped = "" if complete else f"{stopped_by} after {report.fidelity}"
        self._end(number, self._outcomes.ended(suggestion, report, stopped), dict(report.test))

    def fail(self, number: int, reason: str, seconds: float) -> None:
        """A trial had to be ended, with its process, through its configuration's fault."""
        report = Report(0, {}, seconds, failure=reason)
        self._end(number, self._outcomes.ended(self._trials[number], report), {})

    def cut(self, number: int, reason: str, seconds: float) -> None:
        """A trial had to be ended, with its process: it is stopped with its last report, if it has one."""
        last = self._trials.last(number)
        if last is None:
            self.fail(number, reason, seconds)
        else:
            self._end(number, self._outcomes.ended(self._trials[number], last, reason), {})

    def lose(self, number: int, reason: str, seconds: float, process: str = "") -> None:
        """A trial is lost, with its process, node or memory: it begins anew, but not for ever.

        Args:
            process: which one trained it, in words; empty where that is unknown.
        """
        if self._halted:
            return
        attempt = self._trials.lose(number)
        event = {"event": "lost", "trial": number, "attempt": attempt, "reason": reason, "process": process}
        self._write(event | {"seconds": seconds, "time": self._clock()})
        self._failed_alike(number, reason)
        if attempt <= self._retries:
            self._again.append(self._trials.assignment(number))
            return
        self._end(number, self._outcomes.lost(self._trials[number], reason, seconds), {})

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

    @property
    def _all_suggested(self) -> bool:
        return self._exhausted or self._trials.count >= self._budget.trials

    def _write(self, event: Event) -> None:
        self._journal.append(event)
        self._spending.take([event])

    def _begin(self, suggestion: Suggestion, told: int = 0, source: str = "") -> Assignment:
        """Journal a trial that has been suggested."""
        assignment = self._trials.begin(suggestion)
        self._write(suggested(assignment.number, suggestion, self._clock(), told, source))
        self._alike.handed_out(assignment.number)
        return assignment

    def _end(self, number: int, trial: Trial, test: dict[str, float]) -> None:
        if self._halted:
            return
        self._write(ended(number, trial, test, self._clock()))
        self._close(number, trial)
        if trial.status == "failed":
            self._failed_alike(number, trial.reason)
        self.check_budget()

    def _failed_alike(self, number: int, reason: str) -> None:
        """Halt where nothing works and something is left to try."""
        self._alike.failed(number, reason)
        verdict = self._alike.verdict()
        if verdict is not None and not self.over:
            self._halted, self._hopeless = True, verdict

    def _answer(self, thought: Thought) -> Suggestion | None:
        if thought.suggestion is not None:
            return thought.suggestion
        # What ended while the optimizer was thinking may be what it waits for.
        self._waiting = bool(self._trials) and not self._optimizer.has_news
        self._exhausted = not self._trials and not self._optimizer.has_news
        return None

    def _close(self, number: int, trial: Trial) -> None:
        self._trials.end(number, trial.status == "lost")
        if trial.usable:
            self._alike.worked()
        self._waiting = False
        self._optimizer.end(*self._given.results(number, trial, self._algorithm))

    def _replay(self, past: Sequence[Event]) -> None:
        """Ask and tell in the order in which the journal says it happened."""
        for event in past:
            match event["event"]:
                case "observed":
                    self._optimizer.observe(observed_trials(event))
                case "added":
                    self._given.add(event)
                case "suggested":
                    self._trials.begin(self._suggestion_again(event))
                case "waited":
                    self._wait_again(event)
                case "report":
                    self._given.reported(event["trial"], event["fidelity"], event["metrics"])
                case "ended":
                    number = event["trial"]
                    self._close(number, trial_of(event, self._trials[number]))
                case "resume":
                    self._trials.revive(event["pending"])
            self._spending.take([event])

    def _suggestion_again(self, event: Event) -> Suggestion:
        """The suggestion that the journal has; where the optimizer now makes another, the journal wins."""
        config, fidelity, told = event["config"], event["fidelity"], event.get("told")
        if "source" in event:
            self._given.begun(event["source"])
            return Suggestion(config, fidelity)
        if recalled := self._optimizer.recall(told, config, fidelity):
            self._recalled += 1
            return recalled
        asked = self._answer(self._optimizer.think_again(told))
        if asked is not None and (dict(asked.config), asked.fidelity) == (config, fidelity):
            return asked
        if asked is not None:
            self._optimizer.withdraw(asked)
        self._waiting = self._exhausted = False
        self._departures.append(event["trial"])
        # Without a token: its result will be observed.
        return Suggestion(config, fidelity)

    def _wait_again(self, event: Event) -> None:
        asked = self._answer(self._optimizer.think_again(event.get("told")))
        if asked is not None:
            self._optimizer.withdraw(asked)
        self._waiting = bool(self._trials) and not self._optimizer.has_news
