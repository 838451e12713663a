"""Which events can follow one another in the journal of a search study."""

from __future__ import annotations

from orchestrator.run.journal import Event
from orchestrator.search.history.records import gone_back
from orchestrator.search.history.start import SearchStart


class SearchJudge:
    """Says of each event whether it can come next, see :data:`orchestrator.run.soundness.Judge`."""

    def __init__(self) -> None:
        self._begun, self._suggested = False, 0
        self._running: dict[int, int] = {}
        """Trials that have not ended, and up to which fidelity each has reported."""
        self._lost: set[int] = set()

    def __call__(self, event: Event) -> str:
        if not self._begun:
            return self._begin(event)
        match event["event"]:
            case "start":
                return "a second start"
            case "suggested":
                return self._suggest(event["trial"])
            case "resume":
                return self._resume(event)
            case "report" | "saved" | "anew" | "lost" | "ended":
                return self._of_a_trial(event)
        return ""

    def _begin(self, event: Event) -> str:
        if event["event"] != "start" or event["kind"] != "search":
            return "no start of a search study"
        SearchStart.of(event)
        self._begun = True
        return ""

    def _suggest(self, trial: int) -> str:
        if trial != self._suggested:
            return f"trial {trial}, where trial {self._suggested} is next"
        self._running[trial] = 0
        self._suggested += 1
        return ""

    def _of_a_trial(self, event: Event) -> str:
        trial = event["trial"]
        if trial not in self._running:
            return f"what became of trial {trial}, which was not running"
        match event["event"]:
            case "report":
                if event["fidelity"] <= self._running[trial]:
                    return f"trial {trial} at {event['fidelity']}, where it has been before"
                self._running[trial] = event["fidelity"]
            case "saved":
                if event["fidelity"] < self._running[trial]:
                    return f"a checkpoint of trial {trial} at {event['fidelity']}, where it was farther"
            case "lost" | "anew":
                self._running.update(gone_back(event))
            case "ended":
                del self._running[trial]
                if event["status"] == "lost":
                    self._lost.add(trial)
        return ""

    def _resume(self, event: Event) -> str:
        pending = event["pending"]
        unknown = set(pending) - self._running.keys() - self._lost
        if unknown:
            return f"a resume with trial {min(unknown)}, which was not running"
        self._lost -= set(pending)
        self._running.update(gone_back(event))
        return ""
