"""Chooses a search's finalists, and says what is left of their evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.archive import Archive
from orchestrator.run.journal import Event
from orchestrator.search.finals.best import best_configurations
from orchestrator.search.finals.finals import Finals, Plan
from orchestrator.search.history.records import trial_of
from orchestrator.search.trials.trial_record import TrialRecord
from orchestrator.trial import Suggestion
from workloads.contract import Objective


@dataclass(frozen=True)
class Wanted:
    """How many finalists a search has.

    Args:
        count: at most so many; 0: none are evaluated again.
        seeds: with how many new seeds each is evaluated.
    """

    count: int = 0
    seeds: int = 1


NONE_WANTED = Wanted()


class Finalists:
    """The best trials of a search, chosen once it is over; folded from its journal.

    A search that is given a larger budget goes on, and then chooses anew. Evaluations that there are already
    count, so that only what is missing is trained.

    Args:
        wanted: how many.
        objectives: what is optimised.
        constraints: metrics that must keep a bound, besides the objectives' own bounds.
        largest: the fidelity of full training.
    """

    def __init__(
        self, wanted: Wanted, objectives: Sequence[Objective], constraints: Sequence[Objective], largest: int
    ) -> None:
        self._wanted, self.finals = wanted, Finals()
        self._archive = Archive(objectives, constraints, full=largest)
        self._suggested: dict[int, TrialRecord] = {}
        self._plan: Plan | None = None

    def take(self, event: Event) -> None:
        """Take in the next event; unknown kinds are skipped."""
        if self.finals.take(event) or not self._wanted.count:
            return
        match event["event"]:
            case "suggested":
                self._suggested[event["trial"]] = TrialRecord.of(event)
            case "ended":
                suggested = self._suggested[event["trial"]]
                suggestion = Suggestion(suggested.config, suggested.fidelity, suggested.number)
                self._archive.add([trial_of(event, suggestion)])
                self._plan = None

    @property
    def plan(self) -> Plan:
        """Which trials are to be evaluated again, if the search is over now."""
        if self._plan is None:
            trials = self._archive.trials
            rows = best_configurations(self._archive, self._wanted.count, lambda row: trials[row].config)
            self._plan = Plan(tuple(trials[row].suggestion.token for row in rows), self._wanted.seeds)
        return self._plan

    @property
    def settled(self) -> bool:
        """Whether the journal has the plan, and all evaluations have ended, if the search is over now."""
        if not self._wanted.count or not self.plan.trials:
            return True
        return self.finals.plan == self.plan and not (self.finals.pending or self._missing)

    def event(self, time: float) -> Event | None:
        """What is to be journalled before the next evaluation begins; None: nothing."""
        if not self._wanted.count or not self.plan.trials or self.finals.plan == self.plan:
            return None
        return self.plan.event(sum(self._missing.values()), time)

    def next(self) -> tuple[int, Suggestion] | None:
        """The trial that is evaluated next, and what is trained for that; None: no evaluation is missing.

        Every finalist has its first before one has its second.
        """
        if not self._wanted.count or not (missing := self._missing):
            return None
        number = max(missing, key=missing.__getitem__)
        record = self._suggested[number]
        # With the fidelity that it had, so that the evaluation counts as its repetition.
        return number, Suggestion(record.config, record.fidelity)

    @property
    def _missing(self) -> dict[int, int]:
        """How many evaluations have yet to begin, by finalist; the best finalist first."""
        begun = {number: len(self.finals.of(self._suggested[number].config)) for number in self.plan.trials}
        left = {number: self._wanted.seeds - count for number, count in begun.items()}
        return {number: count for number, count in left.items() if count > 0}
