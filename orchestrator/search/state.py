"""What a search knows: what its journal has amounted to so far, and its optimizer in step with that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.optimizers.base import Optimizer
from orchestrator.run.journal import Event
from orchestrator.search.alike import FailingAlike
from orchestrator.search.budget import Spending
from orchestrator.search.earlier.given import Given
from orchestrator.search.finals.finalists import Finalists
from orchestrator.search.history.records import gone_back, observed_trials, trial_of
from orchestrator.search.told_optimizer import ToldOptimizer
from orchestrator.search.trials.checkpoints import Checkpoints
from orchestrator.search.trials.running import Assignment, Handling, RunningTrials
from orchestrator.search.trials.trial_run import Report
from orchestrator.search.trials.tried import Results
from orchestrator.trial import Suggestion, Trial


class SearchState:
    """A search's optimizer, its trials and what they have spent.

    Args:
        optimizer: freshly constructed.
        spending: fresh.
        handling: how trials are dealt with.
        finalists: fresh.

    Attributes:
        optimizer: told of what has ended.
        given: configurations that it is not asked for.
        trials: those that are pending.
        checkpoints: what trials go on from.
        results: those that later trials take.
        spending: what has been spent.
        finalists: which trials are evaluated again, and what is left of that.
        alike: notices when nothing works.
    """

    def __init__(
        self, optimizer: Optimizer, spending: Spending, handling: Handling, finalists: Finalists
    ) -> None:
        self._algorithm = optimizer
        self.optimizer, self.spending = ToldOptimizer(optimizer), spending
        self.checkpoints, self.results = Checkpoints(handling.checkpoints), Results(handling.reuses)
        self.given, self.trials = Given(), RunningTrials(self.checkpoints)
        self.alike, self.finalists = FailingAlike(), finalists

    def fold(self, event: Event) -> None:
        """An event has been journalled: what is spent, and which checkpoints there are, follows from it."""
        self.spending.take([event])
        self.finalists.take(event)
        self.checkpoints.take(event)

    def hand_out(self, number: int) -> Assignment:
        """A pending trial as work that is about to begin, or to go on."""
        self.alike.handed_out(number)
        run = self.finalists.finals.runs.get(number)
        return replace(self.trials.assignment(number), finalist=run.finalist if run else None)

    def reported(self, number: int, report: Report) -> None:
        """A trial has come to a rung."""
        self.trials.reported(number, report)
        self.given.reported(number, report.fidelity, report.metrics)

    def close(self, number: int, trial: Trial, test: Mapping[str, float]) -> None:
        """A trial has ended: its optimizer hears of it when it is asked next."""
        self.trials.end(number, trial.status == "lost")
        if number in self.finalists.finals:
            return
        self.results.add(number, trial, test)
        if trial.usable:
            self.alike.worked()
        self.optimizer.end(*self.given.results(number, trial, self._algorithm))

    def replay(self, past: Sequence[Event]) -> None:
        """Ask and tell in the order in which the journal says it happened."""
        for event in past:
            self._replay(event)
            self.fold(event)
        self.trials.revive()
        for number in self.trials.numbers:
            self.trials.go_back(number, self.trials.goes_on_from(number))
        self.trials.again.extend(self.trials.numbers)
        self.checkpoints.remove_others()

    def _replay(self, event: Event) -> None:
        match event["event"]:
            case "observed":
                self.optimizer.observe(observed_trials(event))
            case "added":
                self.given.add(event)
            case "suggested":
                self.trials.begin(self._suggestion(event))
            case "waited":
                self.optimizer.wait_again(event, bool(self.trials))
            case "report":
                report = Report(event["fidelity"], event["metrics"], event["seconds"])
                self.reported(event["trial"], report)
            case "ended":
                number = event["trial"]
                self.close(number, trial_of(event, self.trials[number]), event["test"])
            case "resume":
                self.trials.revive(event["pending"])
        for number, fidelity in gone_back(event).items():
            self.trials.go_back(number, fidelity)

    def _suggestion(self, event: Event) -> Suggestion:
        """The suggestion that the journal has."""
        if "finalist" in event:
            return Suggestion(event["config"], event["fidelity"])
        if "source" in event:
            self.given.begun(event["source"])
            return Suggestion(event["config"], event["fidelity"])
        return self.optimizer.suggest_again(event, bool(self.trials))
