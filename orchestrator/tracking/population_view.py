"""How a population study that is under way looks to people: as one line, or as a live table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.objective import in_own_direction
from orchestrator.population.history.history import PopulationHistory
from orchestrator.text import number
from orchestrator.tracking.layout import Times, columns, head, note, portions, shortened
from workloads.contract import Objective

HEADINGS = ("", "min", "median", "max", "best so far")

BEFORE, FIRST = "starting the islands, building models, trying engines", "training the first interval"
"""What a study does before its first interval has ended: before the engine has been chosen, and after."""


@dataclass(frozen=True)
class Values:
    """What the members have of one number: an objective or a hyperparameter; NaN: none has any yet.

    Args:
        best: the value of the interval that is the best so far in the first objective; of an objective, the
            best value so far.
    """

    name: str
    low: float
    median: float
    high: float
    best: float

    @classmethod
    def of(cls, name: str, values: Sequence[float], best: float) -> Values:
        known = [value for value in values if not math.isnan(value)]
        low, median, high = map(float, np.quantile(known or [math.nan], [0.0, 0.5, 1.0]))
        return cls(name, low, median, high, best)


@dataclass(frozen=True)
class Score:
    """The members' latest values of one objective, in its own direction."""

    objective: Objective
    values: Values

    @property
    def best(self) -> float:
        """The best of the latest values."""
        return self.values.high if self.objective.direction == "max" else self.values.low


@dataclass(frozen=True)
class Choices:
    """How many members have each value of a hyperparameter that is no number, and that of the best so far."""

    name: str
    counts: str
    best: str


@dataclass(frozen=True)
class PopulationView:
    """Where a population study stands.

    Args:
        generation: generations that all members have completed, and the furthest member.
        done: share of all training that is done, 0 to 1.
        scores: one per objective.
        numbers, choices: the members' present values of the mutable hyperparameters.
        leader: the best member so far in the first objective, and when that was; empty while there is none.
        rate: member-steps per second.
        times: how long it has been running, and how long it will at the present rate.
        failure: the latest failure as text; empty where there was none.
        before: what it does before its first interval has ended; empty afterwards.
    """

    study: str
    generations: int
    generation: tuple[int, int]
    done: float
    scores: tuple[Score, ...]
    numbers: tuple[Values, ...]
    choices: tuple[Choices, ...]
    leader: str
    exploits: int
    failures: int
    rate: float
    unit: str
    times: Times
    failure: str
    before: str

    @property
    def steps(self) -> int:
        """Generations that all members have completed, in portions, each worth a line."""
        return portions(self.generation[0], self.generations)

    @classmethod
    def of(cls, history: PopulationHistory) -> PopulationView:
        """The view of a history as it stands."""
        start, failed, leader = history.start, history.last_failure, history.leaders[0]
        total = start.size * start.generations
        numbers, choices = _hyperparameters(history)
        left = (total - history.trained) * start.interval / history.rate
        return cls(
            study=start.study,
            generations=start.generations,
            generation=(history.generation, max(map(len, history.lives))),
            done=history.trained / total,
            scores=_scores(history),
            numbers=numbers,
            choices=choices,
            leader=f"member {leader.member} after generation {leader.generation}" if leader else "",
            exploits=history.exploits,
            failures=history.failures,
            rate=history.rate,
            unit=start.unit,
            times=Times(history.elapsed, left),
            failure=f"member {failed.member}: {failed.failure}" if failed else "",
            before="" if history.trained else BEFORE if history.engine is None else FIRST,
        )

    def line(self) -> str:
        """What matters most in one short line of plain text."""
        parts = [f"generation {self._progress()}"]
        parts += [
            f"{score.objective.name} best {number(score.best)} median {number(score.values.median)}"
            for score in self.scores
        ]
        parts += [f"exploits {self.exploits}"]
        parts += [f"failures {self.failures} ({shortened(self.failure)})"] if self.failures else []
        parts += [self._rate(), str(self.times)]
        return " | ".join(parts)

    def table(self, waited: float = 0.0) -> RenderableType:
        """The live display, when there has been no news for ``waited`` seconds."""
        parts = [head(self.study, f"generation {self._progress()}", self.done, self.times.after(waited))]
        parts += [note(f"{self.before} …", "dim")] if self.before else []
        body = columns(HEADINGS)
        for score in self.scores:
            body.add_row(*_score_row(score))
        for one in self.numbers:
            body.add_row(one.name, *map(number, (one.low, one.median, one.high, one.best)))
        parts.append(body)
        if self.choices:
            chosen = columns(("", "members", HEADINGS[-1]))
            for choice in self.choices:
                chosen.add_row(choice.name, choice.counts, choice.best)
            parts.append(chosen)
        parts += [note(f"best so far: {self.leader}")] if self.leader else []
        parts.append(note(f"exploits {self.exploits:,}, {self._rate()}"))
        if self.failures:
            parts.append(note(f"failures {self.failures:,}, the last: {self.failure}", "red"))
        return Group(*parts)

    def _progress(self) -> str:
        slowest, fastest = self.generation
        return f"{slowest if slowest == fastest else f'{slowest}–{fastest}'}/{self.generations}"

    def _rate(self) -> str:
        return f"{number(self.rate)} member-{self.unit}s/s"


def _scores(history: PopulationHistory) -> tuple[Score, ...]:
    """The members' latest values of each objective."""
    scores = []
    for place, objective in enumerate(history.start.objectives):
        values = [in_own_direction(record.losses[place], objective) for record in history.latest()]
        leader = history.leaders[place]
        best = in_own_direction(leader.losses[place], objective) if leader else math.nan
        scores.append(Score(objective, Values.of(objective.name, values, best)))
    return tuple(scores)


def _hyperparameters(history: PopulationHistory) -> tuple[tuple[Values, ...], tuple[Choices, ...]]:
    """The values that the members train with next: of numbers, and of what is none."""
    configs = [record.next_config for record in history.latest()] or list(history.born.values())
    leader = history.leaders[0]
    best = leader.config if leader else {}
    numbers, choices = [], []
    for name in history.start.mutable:
        active = [config[name] for config in configs if config.get(name) is not None]
        if any(isinstance(value, (str, bool)) for value in active):
            counts = Counter(map(str, active)).most_common()
            counted = ", ".join(f"{value} ×{count}" for value, count in counts)
            choices.append(Choices(name, counted, str(best.get(name, "–"))))
        else:
            known = best.get(name)
            best_known = float(known) if isinstance(known, (int, float)) else math.nan
            numbers.append(Values.of(name, list(map(float, active)), best_known))
    return tuple(numbers), tuple(choices)


def _score_row(score: Score) -> tuple[str | Text, ...]:
    """The row of an objective; the end that is better is marked."""
    values, upward = score.values, score.objective.direction == "max"
    low, high = (number(value) for value in (values.low, values.high))
    ends = (low, Text(high, style="bold green")) if upward else (Text(low, style="bold green"), high)
    name = f"{score.objective.name} {'↑' if upward else '↓'}"
    return name, ends[0], number(values.median), ends[1], Text(number(values.best), style="bold green")
