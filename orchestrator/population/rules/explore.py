"""Explore rules: how the hyperparameters that a member goes on with differ from those it inherited.

Population Based Training (Jaderberg et al. 2017, arXiv 1711.09846) names two: perturb and resample. A rule is
a pure function over unit coordinates; :func:`explore` keeps what any rule proposes inside the search space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from orchestrator.population.proposals import inside
from orchestrator.population.rules.contract import (
    Evaluations,
    ExploreRule,
    Floats,
    Parents,
    is_number,
    same_rows,
)
from orchestrator.population.rules.scales import stepped
from search_spaces import ConfigurationError, SearchSpace
from search_spaces.columns import Column

Boundary = Literal["clip", "reflect"]
Members = Literal["replaced", "all"]

ATTEMPTS = 20
"""Proposals made for a member before it keeps what it inherited, where the search space forbids them all."""


def explore(
    rule: ExploreRule,
    units: Floats,
    parents: Parents,
    evaluations: Evaluations,
    space: SearchSpace,
    rng: np.random.Generator,
) -> Floats:
    """Apply an explore rule and keep the result inside the search space.

    :func:`~orchestrator.population.proposals.inside` says how. A proposal that breaks a forbidden clause is
    made anew; after :data:`ATTEMPTS` of them the member keeps what it inherited.

    Args and returned shape are those of :class:`ExploreRule`; the inputs are not modified.
    """
    explored = units.copy()
    pending = np.arange(len(units))
    for _ in range(ATTEMPTS):
        proposed = np.clip(rule(units, parents, evaluations, space, rng), 0.0, 1.0)
        proposal = np.where(space.codec.mutable, proposed, units)
        # Repair is what costs, and who goes on unchanged with what was its own needs none.
        pending = pending[(parents != np.arange(len(units)))[pending] | ~same_rows(proposal, units)[pending]]
        if len(pending):
            explored[pending], legal = inside(proposal[pending], units[pending], space, rng)
            pending = pending[~legal]
        if not len(pending):
            break
    return explored


@dataclass(frozen=True)
class Perturb:
    """Multiply hyperparameters by a random factor; now and then redraw one from its prior instead.

    Each hyperparameter of an explored member, independently, is redrawn from its prior with
    ``resample_probability``. Otherwise a float or integer is multiplied, in its own units, by one of
    ``factors``, drawn uniformly, and brought back into its range (in log space where it is a log parameter);
    an integer moves by at least one unless its range stops it; an ordinal goes to the neighbouring value on
    the factor's side; a categorical stays.

    The paper says nothing about ranges, integers and ordinals. Its factors are no use where the range decides
    the result, so three rules are added:

    - A float whose range lies within [0.5, 1] (a discount, a momentum, a decay) is nearer to 1 than to 0
      throughout: the factor multiplies ``1 - value``.
    - Other ranges too narrow for the factors (``high / low`` below the largest factor over the smallest),
      where most steps would end at a bound: the value moves by ``factor - 1`` of the range.
    - A float that is exactly 0, which no factor moves, does the same.

    What a parameter's ``explore`` says in the search space comes before all of this.

    Args:
        factors: positive numbers (the paper's 0.8 and 1.2).
        resample_probability: chance of a redraw, 0 to 1.
        boundary: what happens to a value outside its range: ``clip`` or ``reflect``.
        members: whom to explore: those that exploit ``replaced``, or ``all``.
    """

    factors: Sequence[float] = (0.8, 1.2)
    resample_probability: float = 0.25
    boundary: Boundary = "clip"
    members: Members = "replaced"
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _require_factors(self.factors)
        object.__setattr__(self, "factors", tuple(self.factors))
        _require_probability("resample_probability", self.resample_probability)
        _require_choice("boundary", self.boundary, get_args(Boundary))
        _require_choice("members", self.members, get_args(Members))

    def __call__(
        self,
        units: Floats,
        parents: Parents,
        _evaluations: Evaluations,
        space: SearchSpace,
        rng: np.random.Generator,
    ) -> Floats:
        rows = _chosen(parents, self.members)
        if not len(rows):
            return units.copy()  # as often as not where members publish one by one
        moved = units[rows]
        factors = rng.choice(np.asarray(self.factors), size=moved.shape)
        columns, chances = space.codec.columns, np.full(moved.shape[1], self.resample_probability)
        for j, column in enumerate(columns):
            among = column.explore.factors or self.factors
            if column.explore.factors is not None:
                factors[:, j] = rng.choice(np.asarray(among), size=len(moved))
            if column.explore.resample is not None:
                chances[j] = column.explore.resample
            spread = max(among) / min(among)
            moved[:, j] = _multiplied(column, moved[:, j], factors[:, j], spread, self.boundary)
        proposal = units.copy()
        proposal[rows] = redrawn(moved, chances, space, rng)
        return proposal


@dataclass(frozen=True)
class Resample:
    """Redraw each hyperparameter of an explored member, independently, from its prior with ``probability``.

    Args:
        probability: chance of a redraw, 0 to 1.
        members: whom to explore: those that exploit ``replaced``, or ``all``.
    """

    probability: float = 1.0
    members: Members = "replaced"
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _require_probability("probability", self.probability)
        _require_choice("members", self.members, get_args(Members))

    def __call__(
        self,
        units: Floats,
        parents: Parents,
        _evaluations: Evaluations,
        space: SearchSpace,
        rng: np.random.Generator,
    ) -> Floats:
        rows = _chosen(parents, self.members)
        proposal = units.copy()
        proposal[rows] = redrawn(units[rows], self.probability, space, rng)
        return proposal


@dataclass(frozen=True)
class NoExplore:
    """Every member goes on with what it inherited."""

    window: ClassVar[int] = 1

    def __call__(
        self,
        units: Floats,
        _parents: Parents,
        _evaluations: Evaluations,
        _space: SearchSpace,
        _rng: np.random.Generator,
    ) -> Floats:
        return units.copy()


def _chosen(parents: Parents, members: Members) -> NDArray[np.intp]:
    """The rows of those to explore."""
    everybody = np.arange(len(parents))
    return everybody if members == "all" else np.flatnonzero(parents != everybody)


def redrawn(
    units: Floats, probability: float | Floats, space: SearchSpace, rng: np.random.Generator
) -> Floats:
    """Each entry replaced, with ``probability`` (or one for each column), by a draw from its prior."""
    if not len(units):
        return units
    redraw = rng.random(units.shape) < probability
    return np.where(redraw, space.codec.draw(len(units), rng), units)


def _multiplied(column: Column, units: Floats, factors: Floats, spread: float, boundary: Boundary) -> Floats:
    """Coordinates ``(n,)`` of one hyperparameter after a step in the direction of ``factors`` ``(n,)``.

    ``spread``: the largest factor that may come over the smallest.
    """
    if column.kind == "categorical":
        return units
    values = column.from_units(units)
    if column.kind == "ordinal":
        return column.to_units(_bounded(values + np.sign(factors - 1), column, boundary))
    if column.explore.transform is not None:
        moved = stepped(values, factors, column, column.explore.transform, reflect=boundary == "reflect")
    else:
        moved = _bounded(_step(column, values, factors, spread), column, boundary)
    if column.kind == "int":
        # An integer that rounding would leave where it is moves by one.
        rounded = np.round(moved)
        moved = np.where(rounded == values, values + np.sign(moved - values), rounded)
    return column.to_units(moved)


def _step(column: Column, values: Floats, factors: Floats, spread: float) -> Floats:
    """Values ``(n,)`` of a number after a step, which may lie outside its range (see :class:`Perturb`)."""
    whole, plain = column.kind == "int", column.kind == "float" and not column.log
    share, span = factors - 1, column.high - column.low
    # No factor moves an integer 0; any number on the factor's side makes that a step of one.
    from_zero = share if whole else share * span
    if plain and column.low >= 0.5 and column.high <= 1:
        return 1 - _scaled(1 - values, factors, from_zero)
    if _is_narrow(column, spread):
        return values * (column.high / column.low) ** share if column.log else values + share * span
    return _scaled(values, factors, from_zero)


def _scaled(values: Floats, factors: Floats, from_zero: Floats) -> Floats:
    return np.where(values == 0, from_zero, values * factors)


def _is_narrow(column: Column, spread: float) -> bool:
    """Whether from some values every factor leads out of the range."""
    near, far = sorted((abs(column.low), abs(column.high)))
    return column.low * column.high > 0 and far < near * spread


def _bounded(values: Floats, column: Column, boundary: Boundary) -> Floats:
    """``values`` brought back into the column's range."""
    if boundary == "reflect" and column.low < column.high:
        low, high = (math.log(column.low), math.log(column.high)) if column.log else (column.low, column.high)
        scaled, span = np.log(values) if column.log else values, high - low
        # A triangle wave: what leaves at one end comes back from there, as often as it takes.
        scaled = low + span - np.abs((scaled - low) % (2 * span) - span)
        values = np.exp(scaled) if column.log else scaled
    return np.clip(values, column.low, column.high)


def _require_factors(value: object) -> None:
    factors = list(value) if isinstance(value, Sequence) else []
    if not factors or not all(is_number(factor) and factor > 0 for factor in factors):
        raise ConfigurationError("factors", "a list of positive numbers", factors or value)


def _require_probability(key: str, value: object) -> None:
    if not (is_number(value) and 0 <= value <= 1):
        raise ConfigurationError(key, "a probability between 0 and 1", value)


def _require_choice(key: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigurationError(key, f"one of {', '.join(choices)}", value)
