"""Which events can follow one another in the journal of a population study."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.population.decision import Decision
from orchestrator.population.history.start import StudyStart
from orchestrator.run.journal import Event


class PopulationJudge:
    """Says of each event whether it can come next, see :data:`orchestrator.run.soundness.Judge`."""

    def __init__(self) -> None:
        self._start: StudyStart | None = None
        self._lives: list[int] = []

    def __call__(self, event: Event) -> str:
        if self._start is None:
            return self._begin(event)
        match event["event"]:
            case "start":
                return "a second start"
            case "interval":
                return self._interval(self._start, event)
            case "decision" | "final":
                return self._known(event["member"], event["generation"])
            case "resume":
                return self._resume(self._start, event)
        return ""

    def _begin(self, event: Event) -> str:
        if event["event"] != "start" or event["kind"] != "population":
            return "no start of a population study"
        self._start = StudyStart.from_event(event)
        self._lives = [0] * self._start.size
        return ""

    def _known(self, member: int, generation: int) -> str:
        trained = 1 <= generation <= self._life(member)
        return "" if trained else f"interval {generation} of member {member}, which it has not trained"

    def _life(self, member: int) -> int:
        if member < 0:
            raise IndexError(f"member {member}")
        return self._lives[member]

    def _interval(self, start: StudyStart, event: Event) -> str:
        member, generation = event["member"], event["generation"]
        expected = self._life(member) + 1
        if generation != expected or generation > start.generations:
            return f"interval {generation} of member {member}, whose next one is {expected}"
        self._life(Decision.from_event(event).parent)
        self._lives[member] = generation
        return ""

    def _resume(self, start: StudyStart, event: Event) -> str:
        generations = event["generations"]
        pairs = list(zip(generations, self._lives, strict=True))
        if any(not 0 <= kept <= known for kept, known in pairs):
            return "a return to intervals that nobody has trained"
        self._lives = list(generations)
        # A study may be given more.
        self._start = replace(start, generations=event.get("total", start.generations))
        return ""
