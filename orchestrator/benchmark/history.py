"""What happened in a benchmark study, read from its journal.

The journal records progress; the store has the results. The journal's events:

``start``    once, first: the study (:class:`BenchmarkStart`).
``resume``   the study goes on, perhaps with more methods, tasks or seeds: ``methods``, ``tasks``, ``seeds``
             and ``cells`` as in the start; ``finished`` and ``failed``: what is stored already; time.
``cells``    some cells have ended: finished (how many, by method), failed (list of task, method, seed,
             reason), lost (the same for cells that their machine lost, if any), left (seconds that the
             rest will take, as far as is known), scores (:data:`.standings.Score` of those that can be
             compared, if any; early versions wrote none), time.
``stopped``  reason, time: the study was interrupted.
``final``    methods (aggregates by method: :func:`orchestrator.reporting.benchmark.summary.aggregates`),
             cells, failed and lost (how many), best (the method that is, or null) and unbalanced (why
             none may, or null), time. A study that is extended, or resumed for its lost cells, has a
             further one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.benchmark.standings import Standings
from orchestrator.run.history import StudyHistory
from orchestrator.run.journal import Event
from orchestrator.run.study_time import StudyTime

RATE_EVENTS = 30
"""Throughput is an average over this many of the last events."""


@dataclass(frozen=True)
class BenchmarkStart:
    """The study, as the journal's first line describes it.

    Args:
        study: its name.
        seed: the first of the seeds.
        seeds: how many there are.
        methods: their definitions by name.
        tasks: how many of each type.
        cells: how many the study has.
        left_out: pairings that it does not have.
        workers: simulated workers.
        digest: of everything that it will compute; changes when the study is extended.
        time: seconds since the epoch.
    """

    study: str
    seed: int
    seeds: int
    methods: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[str, int]
    cells: int
    left_out: int
    workers: int
    digest: str
    time: float

    def event(self) -> Event:
        """The journal's first line."""
        return {"event": "start", "kind": "benchmark", **vars(self)}

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """The study that a ``start`` or ``resume`` event describes."""
        return cls(**{name: event[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Failure:
    """A cell that failed or was lost."""

    task: str
    method: str
    seed: int
    reason: str


class BenchmarkHistory(StudyHistory):
    """A benchmark study as its journal tells it.

    Attributes:
        start: the study, as the last resume extended it.
        finished: finished cells by method.
        failures: of all failed cells, oldest first.
        lost: the same for all cells that their machine lost; a resume tries them again.
        standings: the methods' mean ranks so far.
        seconds_left: until the end, as far as is known; NaN while it is not.
        stopped: why the study was interrupted, unless it went on since.
        final: the event of that name, once the study is complete.
    """

    kind = "benchmark"

    def __init__(self, start: BenchmarkStart) -> None:
        self.start = start
        self.finished: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.lost: list[Failure] = []
        self.standings = Standings(start.methods)
        self._failed: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self.seconds_left = float("nan")
        self.stopped: str | None = None
        self.final: Event | None = None
        self._ends = deque([(start.time, 0)], maxlen=RATE_EVENTS + 1)
        self._starting = True
        self._time = StudyTime(start.time)

    @classmethod
    def begun(cls, event: Event) -> Self:
        """The history of a study that has only begun, with this event."""
        return cls(BenchmarkStart.of(event))

    def take(self, event: Event) -> None:
        """Take in the next event."""
        self._time.take(event)
        match event["event"]:
            case "cells":
                self._count(event)
                self.standings.take(event.get("scores", ()))
                self.seconds_left = event["left"]
                if self._starting and len(self._ends) > 1:
                    self._ends.popleft()
                    self._starting = False
                self._ends.append((event["time"], self.ended))
            case "resume":
                self.start = BenchmarkStart.of(event)
                self.standings.go_on(self.start.methods)
                self.finished.clear()
                self.failures.clear()
                self.lost.clear()
                self._failed.clear()
                self._lost.clear()
                self._count(event)
                self.seconds_left, self.stopped, self.final = float("nan"), None, None
                self._ends.clear()
                self._ends.append((event["time"], self.ended))
                self._starting = True
            case "stopped":
                self.stopped = event["reason"]
            case "final":
                self.final, self.stopped = event, None

    @property
    def ended(self) -> int:
        """Cells that have ended."""
        return self.finished.total() + len(self.failures) + len(self.lost)

    @property
    def elapsed(self) -> float:
        """Seconds that the study had been running at its latest event, pauses before a resume left out."""
        return self._time.seconds

    @property
    def rate(self) -> float:
        """Cells per second over the last events; NaN until it is known.

        Start-up time counts only until there are two events.
        """
        (began, before), (now, after) = self._ends[0], self._ends[-1]
        return (after - before) / (now - began) if now > began else float("nan")

    def failed(self, method: str) -> int:
        """How many cells of a method have failed."""
        return self._failed[method]

    def lost_of(self, method: str) -> int:
        """How many cells of a method were lost."""
        return self._lost[method]

    def _count(self, event: Event) -> None:
        self.finished.update(event["finished"])
        failed = [Failure(*entry) for entry in event["failed"]]
        lost = [Failure(*entry) for entry in event.get("lost", ())]
        self.failures += failed
        self.lost += lost
        self._failed.update(one.method for one in failed)
        self._lost.update(one.method for one in lost)


def cells_event(
    kind: str,
    finished: Mapping[str, int],
    failed: Sequence[Failure],
    lost: Sequence[Failure] = (),
    **more: Any,
) -> Event:
    """An event about cells that have ended."""
    entries = {"failed": _entries(failed)} | ({"lost": _entries(lost)} if lost else {})
    return {"event": kind, "finished": dict(finished), **entries, **more}


def _entries(failures: Sequence[Failure]) -> list[list[Any]]:
    return [[one.task, one.method, one.seed, one.reason] for one in failures]
