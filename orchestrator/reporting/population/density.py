"""How many members of a population trained with which values, as colours behind the winner's schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.records import MemberInterval
from orchestrator.reporting.population.schedule import title
from orchestrator.reporting.scales import Floats, bulk, categories_of, logarithmic, numbering, objective_label
from workloads.contract import Objective

Ticks = tuple[tuple[float, ...], tuple[str, ...]]
"""Heights that are labelled, and their labels."""

ROWS = 24
"""Bands that a numeric axis is divided into."""


@dataclass(frozen=True)
class Density:
    """One quantity: the population's distribution at each age, and the winner's path through it.

    Heights are values, decimal logarithms of values where the axis is logarithmic, or numbers of categories.

    Args:
        label: the quantity.
        columns: ends of the columns in training, shape ``(n + 1,)``.
        rows: ends of the bands in heights, ascending, shape ``(m + 1,)``.
        share: of the members that trained in a column, those within a band; shape ``(m, n)``.
        winner: polyline ``(k, 2)`` of (training, height).
        ticks: heights that are labelled, and their labels; None: the plot chooses.
    """

    label: str
    columns: Floats
    rows: Floats
    share: Floats
    winner: Floats
    ticks: Ticks | None

    @property
    def shades(self) -> Floats:
        """What the colours show: square roots of shares, so that a few members can be seen; NaN for none."""
        return np.sqrt(np.where(self.share > 0, self.share, np.nan))


@dataclass(frozen=True)
class Densities:
    """All panels of a study.

    Args:
        title: the study in one line.
        training: the name of the common axis.
        winner: the name of the winner's path.
    """

    title: str
    training: str
    winner: str
    panels: tuple[Density, ...]


def densities(history: PopulationHistory) -> Densities | None:
    """The objectives and mutable hyperparameters; None where no member has succeeded."""
    best, start = history.best(), history.start
    if best is None:
        return None
    records, chain = list(history.records()), history.chain(best)
    quantities = [_objective(records, chain, objective) for objective in start.objectives]
    quantities += [
        _hyperparameter(records, chain, name, name in start.log_parameters) for name in start.mutable
    ]
    panels = tuple(_density(records, chain, start.interval, one) for one in quantities)
    winner = f"schedule of member {best.member}, the best"
    return Densities(title(history), f"training ({start.unit}s)", winner, panels)


@dataclass(frozen=True)
class _Quantity:
    """The values of one quantity.

    Args:
        values: of all intervals.
        path: of the winner's.
        log: whether the axis is logarithmic.
        limits: the axis' ends; None: those of the values.
        categories: names of the values 0, 1, …; None where values are numbers.
    """

    label: str
    values: Floats
    path: Floats
    log: bool
    limits: tuple[float, float] | None = None
    categories: tuple[str, ...] | None = None

    @property
    def heights(self) -> tuple[Floats, Floats]:
        """Where along the axis the values and the path lie."""
        return (np.log10(self.values), np.log10(self.path)) if self.log else (self.values, self.path)


def _objective(
    records: Sequence[MemberInterval], chain: Sequence[MemberInterval], objective: Objective
) -> _Quantity:
    def of(some: Sequence[MemberInterval]) -> Floats:
        values = np.array([one.metrics.get(objective.name, np.nan) for one in some], dtype=float)
        return np.where(np.isfinite(values), values, np.nan)

    values, path = of(records), of(chain)
    log = logarithmic(values, objective)
    limits = None if log else bulk(values, path)
    return _Quantity(objective_label(objective), values, path, log, limits)


def _hyperparameter(
    records: Sequence[MemberInterval], chain: Sequence[MemberInterval], name: str, log: bool
) -> _Quantity:
    found = [one.config[name] for one in records if one.config.get(name) is not None]
    categories = categories_of(found)
    number = numbering(categories)

    def of(some: Sequence[MemberInterval]) -> Floats:
        return np.array([number(one.config.get(name)) for one in some], dtype=float)

    return _Quantity(name, of(records), of(chain), log and categories is None, categories=categories)


def _density(
    records: Sequence[MemberInterval], chain: Sequence[MemberInterval], interval: int, quantity: _Quantity
) -> Density:
    heights, path = quantity.heights
    ages = np.array([one.age for one in records], dtype=float)
    columns = interval * np.arange(round(ages.max() / interval) + 1.0)
    rows = _bands(heights, quantity)
    # Values beyond an axis that was cut lie in its outermost bands.
    inside = np.clip(heights, rows[0], rows[-1])
    known = np.isfinite(inside)
    counts, _, _ = np.histogram2d(inside[known], ages[known] - interval / 2, bins=(rows, columns))
    # Every interval counts, so that failures show as a paler column.
    trained, _ = np.histogram(ages - interval / 2, bins=columns)
    share = counts / np.maximum(trained, 1)
    winner = [
        (age, height)
        for one, height in zip(chain, path, strict=True)
        for age in (one.age - interval, one.age)
    ]
    ticks = _decades(rows) if quantity.log else _names(quantity.categories)
    return Density(quantity.label, columns, rows, share, np.array(winner, dtype=float), ticks)


def _names(categories: tuple[str, ...] | None) -> Ticks | None:
    return (tuple(map(float, range(len(categories)))), categories) if categories else None


def _bands(heights: Floats, quantity: _Quantity) -> Floats:
    if quantity.categories:
        return np.arange(len(quantity.categories) + 1, dtype=np.float64) - 0.5
    finite = heights[np.isfinite(heights)]
    low, high = quantity.limits or ((finite.min(), finite.max()) if finite.size else (0.0, 1.0))
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.asarray(np.linspace(low, high, ROWS + 1), dtype=np.float64)


def _decades(rows: Floats) -> Ticks:
    """Labels of an axis of decimal logarithms: powers of ten, finer steps, or the two ends."""
    low, high = float(rows[0]), float(rows[-1])
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        values = [
            step * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for step in steps
        ]
        shown = [value for value in values if low <= math.log10(value) <= high]
        if len(shown) >= 2:
            break
    else:
        return (low, high), (f"{10.0**low:.2g}", f"{10.0**high:.2g}")
    return tuple(math.log10(value) for value in shown), tuple(f"{value:g}" for value in shown)
