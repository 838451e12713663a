"""How a population study that is under way looks to people: as one line, or as a live table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.objective import in_own_direction
from orchestrator.population.history import PopulationHistory
from orchestrator.text import duration, number
from workloads.contract import Objective


@dataclass(frozen=True)
class Score:
    """Best and median of the members' latest values of one objective, in its own direction; NaN: none yet."""

    objective: Objective
    best: float
    median: float


@dataclass(frozen=True)
class PopulationView:
    """Where a population study stands.

    Args:
        generation: generations that all members have completed, and the furthest member.
        done: share of all training that is done, 0 to 1.
        scores: one per objective.
        spread: per mutable hyperparameter, the members' present values as text.
        rate: member-steps per second.
        seconds_left: until the end at the present rate; NaN while unknown.
        failure: the latest failure as text; empty where there was none.
    """

    study: str
    generations: int
    generation: tuple[int, int]
    done: float
    scores: tuple[Score, ...]
    spread: tuple[tuple[str, str], ...]
    exploits: int
    failures: int
    rate: float
    unit: str
    seconds_left: float
    failure: str

    @property
    def steps(self) -> int:
        """Generations that all members have completed: each is worth a line."""
        return self.generation[0]

    @classmethod
    def of(cls, history: PopulationHistory) -> PopulationView:
        """The view of a history as it stands."""
        start, latest = history.start, history.latest()
        losses = np.array([record.losses for record in latest]).reshape(-1, len(start.objectives))
        total = start.size * start.generations
        failed = history.last_failure
        configs = [record.next_config for record in latest] or list(history.born.values())
        return cls(
            study=start.study,
            generations=start.generations,
            generation=(history.generation, max(map(len, history.lives))),
            done=history.trained / total,
            scores=tuple(map(_score, start.objectives, losses.T)),
            spread=tuple((name, _spread([c.get(name) for c in configs])) for name in start.mutable),
            exploits=history.exploits,
            failures=history.failures,
            rate=history.rate,
            unit=start.unit,
            seconds_left=(total - history.trained) * start.interval / history.rate,
            failure=f"member {failed.member}: {failed.failure}" if failed else "",
        )

    def line(self) -> str:
        """Everything that matters in one line of plain text."""
        parts = [f"generation {self._progress()}"]
        parts += [f"{s.objective.name} best {number(s.best)} median {number(s.median)}" for s in self.scores]
        parts += [f"{name} {spread}" for name, spread in self.spread]
        parts += [f"exploits {self.exploits}"]
        parts += [f"failures {self.failures} ({self.failure})"] if self.failures else []
        parts += [self._rate(), f"{duration(self.seconds_left)} left"]
        return " | ".join(parts)

    def table(self) -> RenderableType:
        """The live display."""
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(self.study, style="bold"),
            f"generation {self._progress()}",
            ProgressBar(total=1.0, completed=self.done, width=30),
            f"{duration(self.seconds_left)} left",
        )
        body = Table.grid(padding=(0, 2))
        body.add_column(style="dim")
        for score in self.scores:
            arrow = "↑" if score.objective.direction == "max" else "↓"
            best = Text(number(score.best), style="bold green")
            body.add_row(f"{score.objective.name} {arrow}", best, f"median {number(score.median)}")
        for name, spread in self.spread:
            body.add_row(name, spread, "")
        body.add_row("exploits", f"{self.exploits:,}", self._rate())
        if self.failures:
            body.add_row("failures", Text(f"{self.failures:,}", style="red"), Text(self.failure, style="red"))
        return Group(head, body)

    def _progress(self) -> str:
        slowest, fastest = self.generation
        return f"{slowest if slowest == fastest else f'{slowest}–{fastest}'}/{self.generations}"

    def _rate(self) -> str:
        return f"{number(self.rate)} member-{self.unit}s/s"


def _score(objective: Objective, losses: np.ndarray[Any, np.dtype[np.float64]]) -> Score:
    known = losses[~np.isnan(losses)]
    if not known.size:
        return Score(objective, math.nan, math.nan)
    best, median = float(known.min()), float(np.median(known))
    return Score(objective, in_own_direction(best, objective), in_own_direction(median, objective))


def _spread(values: Sequence[Any]) -> str:
    """``smallest … median … largest`` of numbers, how many of each of anything else."""
    active = [value for value in values if value is not None]
    if not active:
        return "–"
    if any(isinstance(value, (str, bool)) for value in active):
        counts = Counter(map(str, active)).most_common()
        return ", ".join(f"{name} ×{count}" for name, count in counts)
    return " … ".join(number(float(value)) for value in np.quantile(active, [0.0, 0.5, 1.0]))
