"""Synthetic journals of benchmark studies: what a study writes, without computing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.benchmark.history import BenchmarkStart, Failure, cells_event
from orchestrator.run.journal import Event
from tests.orchestrator.journals import START_TIME, write_journal


@dataclass(frozen=True)
class BenchmarkJournal:
    """A pretended study: every method on every task with every seed; cells end in portions.

    Args:
        failures: ``{number of the cell: reason}``.
        portion: cells that end together, every ``seconds``.
        scored: whether cells have scores: a method's place in reverse, but for the first seed.
    """

    methods: Sequence[str] = ("random", "tpe")
    tasks: int = 3
    seeds: int = 4
    failures: dict[int, str] = field(default_factory=dict)
    portion: int = 3
    seconds: float = 2.0
    scored: bool = False

    @property
    def cells(self) -> list[tuple[str, str, int]]:
        """Task, method and seed of all cells."""
        return [
            (f"task-{task}", method, seed)
            for seed in range(self.seeds)
            for task in range(self.tasks)
            for method in self.methods
        ]

    def start(self, time: float = START_TIME) -> BenchmarkStart:
        """The study."""
        return BenchmarkStart(
            study="pretended",
            seed=0,
            seeds=self.seeds,
            methods={name: {"_target_": f"package.{name}", "rate": 0.5} for name in self.methods},
            tasks={"BB": self.tasks},
            cells=len(self.cells),
            left_out=0,
            workers=1,
            digest=f"{self.methods} {self.tasks} {self.seeds}",
            time=time,
        )

    def events(self, final: bool = True) -> list[Event]:
        """The whole journal, oldest event first."""
        events, time = [self.start().event()], START_TIME
        cells = list(enumerate(self.cells))
        for portion in (cells[n : n + self.portion] for n in range(0, len(cells), self.portion)):
            time += self.seconds
            left = (len(self.cells) - portion[-1][0] - 1) / self.portion * self.seconds
            scores = {"scores": [self._score(*cell) for _, cell in portion]} if self.scored else {}
            events.append({**self._portion("cells", portion, left=left, time=time), **scores})
        if final:
            events.append({"event": "final", **self.outcome(), "time": time})
        return events

    def resumed(self, stored: int, time: float) -> Event:
        """The event of a resume of which the first so many cells are stored."""
        told = self._portion("resume", list(enumerate(self.cells))[:stored])
        return {**self.start(time).event(), **told}

    def outcome(self) -> dict[str, object]:
        """What the last event says."""
        ranks = {name: {"rank.all": 1.0 + place, "cells": 1} for place, name in enumerate(self.methods)}
        return {"cells": len(self.cells), "failed": len(self.failures), "methods": ranks}

    def write(self, run_dir: Path) -> None:
        """Write the journal as a study would."""
        write_journal(run_dir, self.events())

    def _score(self, task: str, method: str, seed: int) -> list[object]:
        place = list(self.methods).index(method)
        return [task, method, seed, float(place if seed == 0 else -place)]

    def _portion(
        self, kind: str, portion: Sequence[tuple[int, tuple[str, str, int]]], **more: float
    ) -> Event:
        finished: dict[str, int] = {}
        for number, (_, method, _) in portion:
            if number not in self.failures:
                finished[method] = finished.get(method, 0) + 1
        failed = [Failure(*cell, self.failures[n]) for n, cell in portion if n in self.failures]
        return cells_event(kind, finished, failed, **more)
