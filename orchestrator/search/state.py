"""What a search knows: what its journal has amounted to so far, and its optimizer in step with that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.optimizers.base import Optimizer
from orchestrator.run.journal import Event
from orchestrator.search.alike import FailingAlike
from orchestrator.search.budget import Spending
from orchestrator.search.checkpoints import Checkpoints
from orchestrator.search.given import Given
from orchestrator.search.records import gone_back, observed_trials, trial_of
from orchestrator.search.running import RunningTrials
from orchestrator.search.told_optimizer import ToldOptimizer
from orchestrator.search.trial_run import Report
from orchestrator.trial import Suggestion, Trial


class SearchState:
    """A search's optimizer, its trials and what they have spent.

    Args:
        optimizer: freshly constructed.
        spending: fresh.
        folder: of the checkpoints that trials go on from; None: they begin from nothing.

    Attributes:
        optimizer: told of what has ended.
        given: configurations that it is not asked for.
        trials: those that are pending.
        checkpoints: what trials go on from.
        spending: what has been spent.
        alike: notices when nothing works.
    """

    def __init__(self, optimizer: Optimizer, spending: Spending, folder: Path | None) -> None:
        self._algorithm = optimizer
        self.optimizer, self.spending = ToldOptimizer(optimizer), spending
        self.checkpoints = Checkpoints(folder)
        self.given, self.trials = Given(), RunningTrials(self.checkpoints)
        self.alike = FailingAlike()

    def fold(self, event: Event) -> None:
        """An event has been journalled: what is spent, and which checkpoints there are, follows from it."""
        self.spending.take([event])
        self.checkpoints.take(event)

    def reported(self, number: int, report: Report) -> None:
        """A trial has come to a rung."""
        self.trials.reported(number, report)
        self.given.reported(number, report.fidelity, report.metrics)

    def close(self, number: int, trial: Trial) -> None:
        """A trial has ended: its optimizer hears of it when it is asked next."""
        self.trials.end(number, trial.status == "lost")
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
                self.close(number, trial_of(event, self.trials[number]))
            case "resume":
                self.trials.revive(event["pending"])
        for number, fidelity in gone_back(event).items():
            self.trials.go_back(number, fidelity)

    def _suggestion(self, event: Event) -> Suggestion:
        """The suggestion that the journal has."""
        if "source" in event:
            self.given.begun(event["source"])
            return Suggestion(event["config"], event["fidelity"])
        return self.optimizer.suggest_again(event, bool(self.trials))
