"""A search study in step with its optimizer and its journal; a resume replays the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.objective import losses
from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.untried import nothing_left
from orchestrator.run.journal import Event, Journal
from orchestrator.search.budget import Budget, Spending
from orchestrator.search.finals.finalists import Finalists
from orchestrator.search.history.records import (
    began_anew,
    ended,
    lost,
    reported,
    resumed,
    saved,
    suggested,
    unsaved,
)
from orchestrator.search.progress import Progress
from orchestrator.search.state import SearchState
from orchestrator.search.trials.checkpoints import BeganAnew, Checkpoint, News
from orchestrator.search.trials.outcome import Outcomes
from orchestrator.search.trials.running import USUAL, Assignment, Handling
from orchestrator.search.trials.trial_run import Report
from orchestrator.trial import Suggestion, Trial
from search_spaces import Config
from workloads.contract import Objective

__all__ = ["Assignment", "Course", "Handling"]


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
        handling: how it deals with its trials.

    Attributes:
        optimizer: told of what has ended; only one at a time may think.
        progress: what may still begin, and whether the study is over.
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
        handling: Handling = USUAL,
    ) -> None:
        self._algorithm = optimizer
        self._outcomes = Outcomes(optimizer.objectives, tuple(constraints), largest)
        self._budget = Budget(budget) if isinstance(budget, int) else budget
        self._largest, self._handling = largest, handling
        self._journal, self._clock = journal, clock
        self._unsaved = ""
        spending = Spending(self._budget, optimizer.objectives, constraints, largest, handling.repeats)
        finalists = Finalists(handling.finalists, optimizer.objectives, constraints, largest)
        state = SearchState(optimizer, spending, handling, finalists)
        self._state, self.optimizer, self._trials = state, state.optimizer, state.trials
        self._finalists, self._finals = finalists, finalists.finals
        state.replay(past)
        state.spending.go_on(clock())
        self.progress = Progress(state, self._budget.trials)

    @property
    def pending(self) -> tuple[int, ...]:
        """Trials that were suggested and have not ended, and at the start those that were lost."""
        return self._trials.numbers

    @property
    def added(self) -> frozenset[str]:
        """The files in which people have handed over configurations."""
        return self._state.given.files

    def resume(self) -> None:
        """Journal that the study goes on."""
        self._write(resumed(self._trials.starts, self._budget.trials, self._budget.seconds, self._clock()))

    def next(self) -> Assignment | None:
        """The next trial to run; None where there is none now."""
        self.check_budget()
        assignment = self.again() or self.given()
        while assignment is None and self.progress.may_ask:
            self.optimizer.keep(self.optimizer.think())
            assignment = self.suggested()
        assignment = assignment or self.final()
        self.sync()
        return assignment

    def check_budget(self) -> None:
        """Look whether a budget is spent by now; the evaluations of finalists are beside it."""
        if self.progress.spent or self.progress.halted or self._finals.pending:
            return
        if reason := self._state.spending.verdict(self._clock()):
            self._write({"event": "spent", "reason": reason, "time": self._clock()})
            self.progress.spent = True

    def again(self) -> Assignment | None:
        """A trial that was suggested before and is to be handed out again; None where there is none."""
        waiting = self._trials.again
        number = next((one for one in waiting if not self.progress.spent or one in self._finals), None)
        if number is None or self.progress.halted:
            return None
        waiting.remove(number)
        return self._state.hand_out(number)

    def give_back(self, number: int) -> None:
        """A trial that was handed out has not begun: hand it out next, with no attempt lost."""
        self._trials.again.appendleft(number)

    def begin_with(self, configs: Sequence[Config]) -> None:
        """Try ``configs`` before the optimizer is asked, except those that the journal has already."""
        self._state.given.begin_with(configs)

    def add(self, file: str, configs: Sequence[Config]) -> None:
        """Journal configurations that people have handed over in ``file``; they are tried next."""
        event = {"event": "added", "file": file, "configs": list(configs), "time": self._clock()}
        self._write(event)
        self._state.given.add(event)

    def given(self) -> Assignment | None:
        """A trial that somebody else than the optimizer wants, journalled; None where there is none."""
        while self._state.given and self.progress.may_begin:
            config, source = self._state.given.pop()
            if (assignment := self._begin(Suggestion(config), source=source)) is not None:
                return assignment
        return None

    def final(self) -> Assignment | None:
        """The next evaluation of a finalist, once the search is over; None where there is none now."""
        if self.progress.halted or not self.progress.searched:
            return None
        if (event := self._finalists.event(self._clock())) is not None:
            self._write(event)
        if (wanted := self._finalists.next()) is None:
            return None
        finalist, suggestion = wanted
        return self._begin(suggestion, source="finalist", finalist=finalist)

    def suggested(self) -> Assignment | None:
        """Journal the next answer that the optimizer kept; its trial may run once :meth:`sync` has returned.

        None where none was kept, or where the optimizer wants to be told of pending trials first.
        """
        while self.optimizer.kept and self.progress.may_begin:
            thought = self.optimizer.next()
            suggestion = self.optimizer.answer(thought, bool(self._trials))
            if suggestion is None:
                event: Event = {"event": "waited", "told": thought.told}
                if self.optimizer.exhausted:
                    event["reason"] = nothing_left(self._algorithm, self._trials.configurations)
                self._write(event)
            elif (assignment := self._begin(suggestion, thought.told)) is not None:
                return assignment
        return None

    def sync(self) -> None:
        """Return once all that was journalled is on the disk; before, nothing may be acted on."""
        obsolete = self._state.checkpoints.obsolete
        self._journal.sync()
        self._state.checkpoints.remove_obsolete(obsolete)

    def note(self, number: int, news: News) -> None:
        """Take in what a worker tells of a trial's checkpoints."""
        if self.progress.halted:
            return
        if isinstance(news, Checkpoint):
            self._unsaved = ""
            self._write(saved(news, self._clock()))
        elif isinstance(news, BeganAnew):
            self._write(began_anew(number, news.reason, self._clock()))
            self._trials.go_back(number, 0)
        elif news.reason != self._unsaved:
            self._unsaved = news.reason
            self._write(unsaved(news, self._clock()))

    def report(self, number: int, report: Report) -> None:
        """A trial has come to a rung."""
        if self.progress.halted or report.failure:
            return
        found = losses(report.metrics, self._outcomes.objectives).tolist()
        self._write(reported(number, report, found, self._clock()))
        self._state.reported(number, report)
        self.check_budget()

    def end(self, number: int, report: Report, stopped_by: str = "") -> None:
        """A trial will train no further.

        Args:
            report: its last.
            stopped_by: the rule that stopped it, if it has not come to its end.
        """
        trial = self._outcomes.of(self._trials[number], report, stopped_by)
        left = report.checkpoint if trial.status == "finished" else None
        self._end(number, trial, report.test, left)

    def fail(self, number: int, reason: str, seconds: float) -> None:
        """A trial had to be ended, with its process, through its configuration's fault."""
        self._end(number, self._outcomes.ended(self._trials[number], Report(0, {}, seconds, failure=reason)))

    def cut(self, number: int, reason: str, seconds: float) -> None:
        """A trial had to be ended, with its process: it is stopped with its last report, if it has one."""
        last = self._trials.last(number) or Report(0, {}, seconds, failure=reason)
        self._end(number, self._outcomes.ended(self._trials[number], last, reason))

    def lose(self, number: int, reason: str, seconds: float, process: str = "") -> None:
        """A trial is lost, with its process, node or memory: it is tried again, but not for ever.

        Args:
            process: which one trained it, in words; empty where that is unknown.
        """
        if self.progress.halted:
            return
        attempt, origin = self._trials.lose(number), self._trials.goes_on_from(number)
        self._write(lost(number, attempt, reason, process, seconds, self._clock(), origin))
        self._trials.go_back(number, origin)
        self._failed_alike(number, reason)
        if attempt <= self._handling.retries:
            self._trials.again.append(number)
            return
        self._end(number, self._outcomes.lost(self._trials[number], reason, seconds))

    def close(self) -> None:
        """Close the journal, with all of it on the disk; nothing may be called after it."""
        self.progress.halted = True
        try:
            self.sync()
        finally:
            self._journal.close()

    def halt(self) -> None:
        """Hand out no more trials, and forget about those that run; a resumed study goes on with them."""
        self.progress.halted = True

    def _write(self, event: Event) -> None:
        self._journal.append(event)
        self._state.fold(event)

    def _begin(
        self, suggestion: Suggestion, told: int = 0, source: str = "", finalist: int | None = None
    ) -> Assignment | None:
        """Journal a suggested trial; None where it ended at once, with a result that is known."""
        number = self._trials.begin(suggestion)
        repeat, known = self._trials.repeat(number), self._state.results.of(suggestion)
        origin = None if known else self._trials.inherits(number, self._largest)
        more = (number, suggestion, self._clock(), told, source)
        self._write(suggested(*more, repeat=repeat, origin=origin, finalist=finalist))
        if known is None:
            return self._state.hand_out(number)
        self._end(number, known.again(suggestion), known.test, reused=known.number)
        return None

    def _end(
        self,
        number: int,
        trial: Trial,
        test: Mapping[str, float] | None = None,
        left: Checkpoint | None = None,
        reused: int | None = None,
    ) -> None:
        if self.progress.halted:
            return
        self._write(ended(number, trial, test or {}, self._clock(), left, reused))
        self._state.close(number, trial, test or {})
        if trial.status == "failed":
            self._failed_alike(number, trial.reason)
        self.check_budget()

    def _failed_alike(self, number: int, reason: str) -> None:
        """Halt where nothing works and something is left to try."""
        self._state.alike.failed(number, reason)
        verdict = self._state.alike.verdict()
        if verdict is not None and not self.progress.over:
            self.progress.halted, self.progress.hopeless = True, verdict
