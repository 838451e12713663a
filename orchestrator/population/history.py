"""What happened in a population study, put together from its journal."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from orchestrator.population.records import Decision, MemberInterval
from orchestrator.run.journal import Event
from search_spaces import Config
from workloads.contract import Objective
from workloads.packing import EngineChoice

RATE_GENERATIONS = 4
"""Throughput is an average over this many of the last generations."""


_Place = tuple[int, int]
"""A member and a generation of its life."""


@dataclass(frozen=True)
class StudyStart:
    """What the journal's first line says of the study.

    Args:
        size: members in the population.
        generations: intervals in each member's life.
        interval: training per generation, in ``unit`` s of fidelity.
        mutable: hyperparameters that change while training runs.
        log_parameters: hyperparameters that are searched on a logarithmic scale.
        time: seconds since the epoch.
    """

    study: str
    seed: int
    size: int
    generations: int
    interval: int
    synchronous: bool
    islands: int
    unit: str
    objectives: tuple[Objective, ...]
    mutable: tuple[str, ...]
    parameters: tuple[str, ...]
    log_parameters: tuple[str, ...]
    time: float

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        return cls(
            study=event["study"],
            seed=event["seed"],
            size=event["size"],
            generations=event["generations"],
            interval=event["interval"],
            synchronous=event["synchronous"],
            islands=event["islands"],
            unit=event["unit"],
            objectives=tuple(Objective(**objective) for objective in event["objectives"]),
            mutable=tuple(event["mutable"]),
            parameters=tuple(event["parameters"]),
            log_parameters=tuple(event.get("log_parameters", ())),
            time=event["time"],
        )


class PopulationHistory:
    """A population study's past; grows by :meth:`extend` and takes back what a resume made void.

    Attributes:
        start: what the study is.
        born: the configuration that each member was born with.
        lives: per member, its valid intervals; ``lives[member][generation - 1]``.
        exploits: copies of weights from one member to another so far.
        failures: member-intervals that failed so far.
        trained: valid member-intervals so far, failed ones included.
        generation: generations that every member has completed.
        last_failure: the latest of them.
        snapshots: generations that snapshots were taken at, and their paths below the run directory.
        final: the event of that name once the study is complete.
        stopped: why the study stopped early; None while it runs, after a resume, and when it is complete.
        engine: how members train, where that was found out by trying.
    """

    def __init__(self, start: StudyStart) -> None:
        self.start = start
        self.born: dict[int, Config] = {}
        self.lives: tuple[list[MemberInterval], ...] = tuple([] for _ in range(start.size))
        self._copied: dict[_Place, MemberInterval] = {}
        self._awaited: defaultdict[_Place, list[_Place]] = defaultdict(list)
        self.exploits = 0
        self.failures = 0
        self.trained = 0
        self.generation = 0
        self._completed: Counter[int] = Counter()
        self.last_failure: MemberInterval | None = None
        self.snapshots: dict[int, str] = {}
        self.final: Event | None = None
        self.stopped: str | None = None
        self.engine: EngineChoice | None = None
        self._training_rate = _TrainingRate(start)

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> Self:
        """The history that ``events``, oldest first, tell.

        Raises:
            ValueError: the first event is not the start of a population study.
        """
        rest = iter(events)
        first = next(rest, {})
        if first.get("event") != "start" or first.get("kind") != "population":
            raise ValueError(f"expected the start of a population study, got {first.get('event')!r}")
        history = cls(StudyStart.from_event(first))
        history.extend(rest)
        return history

    def extend(self, events: Iterable[Event]) -> None:
        """Take in further events in the order in which they were written; unknown kinds are skipped."""
        for event in events:
            self._take(event)

    @property
    def rate(self) -> float:
        """Member-steps per second over the last generations, in units of fidelity; NaN until it is known.

        Starting up does not count: neither Ray nor building the first models.
        """
        return self._training_rate.intervals_per_second * self.start.interval

    def records(self) -> Iterator[MemberInterval]:
        """All valid intervals, by generation and then by member."""
        for generation in range(max(map(len, self.lives))):
            for life in self.lives:
                if generation < len(life):
                    yield life[generation]

    def latest(self) -> list[MemberInterval]:
        """The last interval of each member that has one."""
        return [life[-1] for life in self.lives if life]

    def losses(self, generation: int) -> NDArray[np.float64]:
        """Losses of all members after a generation, shape ``(size, m)``; NaN where there is none (yet)."""
        values = np.full((self.start.size, len(self.start.objectives)), np.nan)
        for life in self.lives:
            if generation <= len(life):
                values[life[generation - 1].member] = life[generation - 1].losses
        return values

    def best(self) -> MemberInterval | None:
        """The interval that was chosen at the end; before, the one that is best in the first objective."""
        if self.final is not None:
            member, generation = int(self.final["member"]), int(self.final["generation"])
            return self.lives[member][generation - 1]
        healthy = (record for record in self.records() if not record.failed)
        return min(healthy, key=lambda record: record.losses[0], default=None)  # by generation, then member

    @property
    def models(self) -> Sequence[Mapping[str, Any]]:
        """The trained models that a complete study keeps, as its last line names them, the best one first."""
        return self.final.get("models", ()) if self.final is not None else ()

    def source(self, record: MemberInterval) -> MemberInterval | None:
        """The interval whose weights ``record``'s member goes on with after it; None: new weights."""
        if record.reborn:
            return None
        if not record.copies:
            return record
        return self._copied.get(record.place)

    def chain(self, record: MemberInterval) -> list[MemberInterval]:
        """The intervals that ``record``'s weights went through, oldest first, ``record`` itself last."""
        chain: list[MemberInterval] = []
        step: MemberInterval | None = record
        while step is not None:
            chain.append(step)
            step = step.origin
        return chain[::-1]

    def ancestry(self, member: int) -> list[tuple[int, int]]:
        """The ``(generation, member)`` s that the member's present weights went through, oldest first."""
        life = self.lives[member]
        return [(record.generation, record.member) for record in self.chain(life[-1])] if life else []

    def _take(self, event: Event) -> None:
        match event["event"]:
            case "born":
                self.born[event["member"]] = event["config"]
            case "interval":
                self._append(event)
            case "decision":
                self._amend(event)
            case "snapshot":
                self.snapshots[event["generation"]] = event["path"]
            case "resume":
                self._go_back(event["generations"])
                self._training_rate = _TrainingRate(self.start)
            case "final":
                self.final, self.stopped = event, None
            case "stopped":
                self.stopped = event["reason"]
            case "engine":
                self.engine = EngineChoice.from_event(event)

    def _append(self, event: Event) -> None:
        life = self.lives[event["member"]]
        origin = self.source(life[-1]) if life else None
        record = MemberInterval.from_event(event, len(self.start.objectives), origin)
        life.append(record)
        self._note_copies(record)
        self._training_rate.add(record)
        self._count(record, 1)
        self._completed[record.generation] += 1
        self.generation += self._completed[self.generation + 1] == self.start.size
        if record.failure is not None:
            self.last_failure = record

    def _amend(self, event: Event) -> None:
        """A member went on otherwise than its interval's line says."""
        decision = Decision.from_event(event)
        life = self.lives[decision.member]
        before = life[decision.generation - 1]
        record = life[decision.generation - 1] = before.with_decision(decision)
        place = record.place
        self._copied.pop(place, None)
        for waiting in self._awaited.values():
            if place in waiting:
                waiting.remove(place)
        self._note_copies(record)
        self._count(before, -1)
        self._count(record, 1)

    def _note_copies(self, record: MemberInterval) -> None:
        """Remember what is copied as it is now: the parent may go back later, its copy does not.

        Of members that arrive together, a copy's line may come before its parent's.
        """
        for copy in self._awaited.pop(record.place, ()):
            self._copied[copy] = record
        if record.parent_generation is None:
            return
        copy, life = record.place, self.lives[record.parent]
        if record.parent_generation <= len(life):
            self._copied[copy] = life[record.parent_generation - 1]
        else:
            self._awaited[record.parent, record.parent_generation].append(copy)

    def _go_back(self, generations: list[int]) -> None:
        self._awaited.clear()
        for life, kept in zip(self.lives, generations, strict=True):
            for record in life[kept:]:
                self._count(record, -1)
                self._completed[record.generation] -= 1
            del life[kept:]
        self.generation = min(map(len, self.lives))
        self.final = self.stopped = None

    def _count(self, record: MemberInterval, change: int) -> None:
        self.trained += change
        self.exploits += change * record.copies
        self.failures += change * (record.failure is not None)


class _TrainingRate:
    """How fast members train since a start or a resume.

    Of the first generation it counts how long members trained: the clock would count starting up, too.
    """

    def __init__(self, start: StudyStart) -> None:
        self._start = start
        self._trained, self._seconds = 0, 0.0
        self._times: deque[float] = deque(maxlen=RATE_GENERATIONS * start.size + 1)

    def add(self, record: MemberInterval) -> None:
        """An interval has ended."""
        self._trained += 1
        self._seconds += record.seconds
        if self._trained >= self._start.size:
            self._times.append(record.time)

    @property
    def intervals_per_second(self) -> float:
        """Of all members together; NaN until it is known."""
        if len(self._times) > self._start.size:
            elapsed = self._times[-1] - self._times[0]
            return (len(self._times) - 1) / elapsed if elapsed > 0 else float("nan")
        # An interval's seconds are its island's time, shared among the members that trained together.
        return self._start.islands * self._trained / self._seconds if self._seconds > 0 else float("nan")
