"""The plot of a population study as data: the population as a tree, and the best member's path through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.records import MemberInterval
from orchestrator.reporting.population.configurations import key
from orchestrator.reporting.scales import Floats, bulk, categories_of, logarithmic, numbering, objective_label
from workloads.contract import Objective

Point = tuple[float, float]

CATEGORY_BAND = 0.6
"""Height of the band in which the members of one category lie, where categories are 1 apart."""


@dataclass(frozen=True)
class Panel:
    """One quantity of all members over their training.

    Curves are polylines ``(n, 2)`` of (training, value); a row of NaN lifts the pen.

    Args:
        label: the quantity.
        kind: whether it is an objective or a hyperparameter.
        log: whether its axis is logarithmic.
        population: every member; the curve of a copy branches off its parent's.
        labels: per row of ``population``: which member and generation it belongs to.
        best: the intervals in the ancestry of the best member's weights.
        replaced: where members gave up their own weights, shape ``(n, 2)``; empty for hyperparameters.
        limits: the axis' ends; None: chosen by the plot.
        categories: names of the values 0, 1, …; None where values are numbers.
    """

    label: str
    kind: Literal["objective", "hyperparameter"]
    log: bool
    population: Floats
    labels: tuple[str, ...]
    best: Floats
    replaced: Floats
    limits: tuple[float, float] | None = None
    categories: tuple[str, ...] | None = None

    @property
    def curves(self) -> int:
        """How many curves the population has, one per birth and copy."""
        return int(np.isnan(self.population[:, 0]).sum())


@dataclass(frozen=True)
class Schedule:
    """All panels of a study, over one common axis of training."""

    title: str
    training: str
    best: str
    panels: tuple[Panel, ...]


def schedule(history: PopulationHistory) -> Schedule:
    """The objectives and the mutable hyperparameters of a study over the training in the members' weights."""
    start = history.start
    best = history.best()
    chain = history.chain(best) if best else []
    panels = [_objective_panel(history, chain, objective) for objective in start.objectives]
    panels += [_hyperparameter_panel(history, chain, name) for name in start.mutable]
    return Schedule(
        title=title(history),
        training=f"training ({start.unit}s)",
        best=f"ancestry of member {best.member}, the best" if best else "ancestry of the best member",
        panels=tuple(panels),
    )


def title(history: PopulationHistory) -> str:
    """The study in one line."""
    start = history.start
    return f"{start.study}: {start.size} members, {start.generations} generations, seed {start.seed}"


def _objective_panel(
    history: PopulationHistory, chain: Sequence[MemberInterval], objective: Objective
) -> Panel:
    def value(record: MemberInterval) -> float:
        found = float(record.metrics.get(objective.name, np.nan))
        return found if np.isfinite(found) else np.nan

    def end(record: MemberInterval) -> list[Point]:
        return [(record.age, value(record))]

    population, labels = _branches(history.records(), end)
    best = _array(point for record in chain for point in end(record))
    log = logarithmic(population[:, 1], objective)
    copies = [record for record in history.records() if record.copies or record.reborn]
    return Panel(
        label=objective_label(objective),
        kind="objective",
        log=log,
        population=population,
        labels=labels,
        best=best,
        replaced=_array(point for record in copies for point in end(record)),
        limits=None if log else bulk(population[:, 1], best[:, 1]),
    )


def _hyperparameter_panel(history: PopulationHistory, chain: Sequence[MemberInterval], name: str) -> Panel:
    values = [record.config[name] for record in history.records() if record.config.get(name) is not None]
    categories = categories_of(values)
    number = numbering(categories)

    def bar(record: MemberInterval, shift: float = 0.0) -> list[Point]:
        y = number(record.config.get(name)) + shift
        return [(record.age - history.start.interval, y), (record.age, y)]

    def own_bar(record: MemberInterval) -> list[Point]:
        """Members with the same category side by side, to show how many they are."""
        place = record.member / (history.start.size - 1) - 0.5
        return bar(record, CATEGORY_BAND * place if categories else 0.0)

    population, labels = _branches(history.records(), own_bar)
    return Panel(
        label=name,
        kind="hyperparameter",
        log=name in history.start.log_parameters and categories is None,
        population=population,
        labels=labels,
        best=_array(point for record in chain for point in bar(record)),
        replaced=_array(()),
        categories=categories,
    )


def _branches(
    records: Iterable[MemberInterval], points: Callable[[MemberInterval], list[Point]]
) -> tuple[Floats, tuple[str, ...]]:
    """Each member's curve in turn; where it takes another's weights, a new curve begins at theirs."""
    lives: dict[int, list[MemberInterval]] = {}
    for record in records:
        lives.setdefault(record.member, []).append(record)
    rows: list[Point] = []
    labels: list[str] = []
    for life in lives.values():
        previous: MemberInterval | None = None
        for record in life:
            fresh: list[Point] = []
            if previous is None or record.origin is not previous:
                fresh = [(np.nan, np.nan), *(points(record.origin)[-1:] if record.origin else ())]
            fresh += points(record)
            rows += fresh
            labels += [key(record.member, record.generation)] * len(fresh)
            previous = record
    return _array(rows), tuple(labels)


def _array(points: Iterable[Point]) -> Floats:
    return np.array([*points], dtype=float).reshape(-1, 2)
