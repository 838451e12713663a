"""What happened in a population study, put together from its journal."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from orchestrator.population.decision import Decision
from orchestrator.population.history.start import StudyStart
from orchestrator.population.history.training_rate import TrainingRate
from orchestrator.population.records import MemberInterval
from orchestrator.run.history import StudyHistory
from orchestrator.run.journal import Event
from orchestrator.run.study_time import StudyTime
from search_spaces import Config
from workloads.packing import EngineChoice

_Place = tuple[int, int]
"""A member and a generation of its life."""
_Sources = dict[_Place, MemberInterval]
"""By the interval after which something was copied, the publication that it was copied from."""


class PopulationHistory(StudyHistory):
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
        remarks: what islands had to say, such as that a process died.
        taken_back: intervals that a resume made void.
    """

    kind = "population"

    def __init__(self, start: StudyStart) -> None:
        self.start = start
        self.born: dict[int, Config] = {}
        self.lives: tuple[list[MemberInterval], ...] = tuple([] for _ in range(start.size))
        self._copied: _Sources = {}
        self._crossed: _Sources = {}
        self._awaited: defaultdict[_Place, list[tuple[_Sources, _Place]]] = defaultdict(list)
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
        self.remarks: list[str] = []
        self.taken_back = 0
        self._training_rate = TrainingRate(start.size, start.islands)
        self._time = StudyTime(start.time)
        self._leaders: list[MemberInterval | None] = [None] * len(start.objectives)

    @classmethod
    def begun(cls, event: Event) -> Self:
        """The history of a study that has only begun, with this event."""
        return cls(StudyStart.from_event(event))

    def take(self, event: Event) -> None:
        """Take in the next event."""
        self._time.take(event)
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
                self.start = replace(self.start, generations=event.get("total", self.start.generations))
                self._training_rate = TrainingRate(self.start.size, self.start.islands)
            case "final":
                self.final, self.stopped = event, None
            case "stopped":
                self.stopped = event["reason"]
            case "remark":
                self.remarks.append(event["text"])
            case "engine":
                self.engine = EngineChoice.from_event(event)

    @property
    def elapsed(self) -> float:
        """Seconds that the study had been running at its latest event, pauses before a resume left out."""
        return self._time.seconds

    @property
    def leaders(self) -> Sequence[MemberInterval | None]:
        """For each objective, the first interval with its best value so far; None: there is none."""
        return self._leaders

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

    def second_source(self, record: MemberInterval) -> MemberInterval | None:
        """The interval whose blocks ``record``'s member goes on with after it; None: no blocks crossed."""
        return self._crossed.get(record.place) if record.crossover is not None else None

    def chain(self, record: MemberInterval) -> list[MemberInterval]:
        """The intervals that ``record``'s weights went through, oldest first, ``record`` itself last.

        Where blocks crossed, those of the first parent.
        """
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

    def _append(self, event: Event) -> None:
        life = self.lives[event["member"]]
        origin = self.source(life[-1]) if life else None
        record = MemberInterval.from_event(event, len(self.start.objectives), origin)
        life.append(record)
        self._note_copies(record)
        self._note_leader(record)
        self._training_rate.add(record)
        self._count(record, 1)
        self._completed[record.generation] += 1
        self.generation += self._completed[self.generation + 1] == self.start.size
        if record.failure is not None:
            self.last_failure = record

    def _note_leader(self, record: MemberInterval) -> None:
        for place, (loss, leader) in enumerate(zip(record.losses, self._leaders, strict=True)):
            if not math.isnan(loss) and (leader is None or loss < leader.losses[place]):
                self._leaders[place] = record

    def _amend(self, event: Event) -> None:
        """A member went on otherwise than its interval's line says."""
        decision = Decision.from_event(event)
        life = self.lives[decision.member]
        before = life[decision.generation - 1]
        record = life[decision.generation - 1] = before.with_decision(decision)
        for sources in (self._copied, self._crossed):
            sources.pop(record.place, None)
        for publication, waiting in self._awaited.items():
            self._awaited[publication] = [one for one in waiting if one[1] != record.place]
        self._note_copies(record)
        self._count(before, -1)
        self._count(record, 1)

    def _note_copies(self, record: MemberInterval) -> None:
        """Remember what is copied as it is now: the parent may go back later, its copy does not.

        Of members that arrive together, a copy's line may come before its parent's.
        """
        for sources, copy in self._awaited.pop(record.place, ()):
            sources[copy] = record
        if record.parent_generation is not None:
            self._note_source(self._copied, record.place, record.parent, record.parent_generation)
        if (crossover := record.crossover) is not None:
            self._note_source(self._crossed, record.place, crossover.parent, crossover.parent_generation)

    def _note_source(self, sources: _Sources, copy: _Place, parent: int, generation: int) -> None:
        life = self.lives[parent]
        if generation <= len(life):
            sources[copy] = life[generation - 1]
        else:
            self._awaited[parent, generation].append((sources, copy))

    def _go_back(self, generations: list[int]) -> None:
        self._awaited.clear()
        for life, kept in zip(self.lives, generations, strict=True):
            for record in life[kept:]:
                self.taken_back += 1
                self._count(record, -1)
                self._completed[record.generation] -= 1
            del life[kept:]
        self._leaders = [None] * len(self.start.objectives)
        for record in self.records():
            self._note_leader(record)
        self.generation = min(map(len, self.lives))
        self.final = self.stopped = None

    def _count(self, record: MemberInterval, change: int) -> None:
        self.trained += change
        self.exploits += change * record.copies
        self.failures += change * (record.failure is not None)
