"""How much the trials of a search have trained, folded from its journal's events."""

from __future__ import annotations

from orchestrator.run.journal import Event
from orchestrator.search.history.records import gone_back


class Trained:
    """Counts training in the workload's unit: what was done twice counts twice, what was spared does not.

    Attributes:
        total: of all trials, those that were lost too.
    """

    def __init__(self) -> None:
        self.total = 0
        self._reached: dict[int, int] = {}
        self._own: dict[int, int] = {}

    def of(self, trial: int) -> int:
        """What a trial has trained itself, what it lost on the way too."""
        return self._own.get(trial, 0)

    def take(self, event: Event) -> None:
        """Take in the next event; unknown kinds are skipped."""
        match event["event"]:
            case "suggested" if "from" in event:
                self._reached[event["trial"]] = event["from"]["fidelity"]
            case "report" | "saved" | "ended" if "reused" not in event:
                self._train(event["trial"], event["fidelity"] or 0)
            case "resume" | "lost" | "anew":
                self._reached.update(gone_back(event))

    def _train(self, trial: int, fidelity: int) -> None:
        more = fidelity - self._reached.get(trial, 0)
        if more > 0:
            self._reached[trial] = fidelity
            self._own[trial] = self._own.get(trial, 0) + more
            self.total += more
