"""Scales on which the steps of one hyperparameter are equally large wherever it stands."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from orchestrator.population.rules.contract import Floats
from search_spaces.columns import Column
from search_spaces.exploring import Transform

NEAREST = 1e-3
"""How near, as a share of the range, a value comes to a bound that is infinitely far away on its scale."""


def stepped(
    values: Floats, factors: Floats, column: Column, transform: Transform, *, reflect: bool = False
) -> Floats:
    """Values ``(n,)`` after a step by ``factors`` ``(n,)`` on a scale, within the column's range.

    A step that leaves the range ends at its bound, or is reflected there, on the scale. A bound at infinity
    (0 or 1 of ``logit``, 1 of ``one_minus``) counts as standing at :data:`NEAREST` of the range inside it, so
    that a value on it moves away again.

    Args:
        values: numbers in the parameter's own units.
        factors: what each is multiplied by, in the sense of :class:`~search_spaces.exploring.Explore`.
        column: a number.
        transform: the scale.
        reflect: whether steps are reflected at the bounds.
    """
    near = NEAREST * (column.high - column.low)
    low = near if transform == "logit" and column.low == 0 else column.low
    high = 1 - near if transform in ("logit", "one_minus") and column.high == 1 else column.high
    start, stop = _scaled(np.array([low, high]), transform)
    there = _scaled(np.clip(values, low, high), transform) + _steps(factors, column, transform)
    if reflect:
        # A triangle wave: what leaves at one end comes back from there, as often as it takes.
        there = stop - np.abs((there - start) % (2 * (stop - start)) - (stop - start))
    inside = np.clip(_unscaled(there, transform), column.low, column.high)
    return np.where(there <= start, column.low, np.where(there >= stop, column.high, inside))


def _steps(factors: Floats, column: Column, transform: Transform) -> Floats:
    if transform == "linear":
        return (factors - 1) * (column.high - column.low)
    return -np.log(factors) if transform == "one_minus" else np.log(factors)


def _scaled(values: Floats, transform: Transform) -> Floats:
    """Rising with the values."""
    if transform == "logit":
        return np.asarray(logit(values))
    if transform == "one_minus":
        return -np.log1p(-values)
    return np.log(values) if transform == "log" else values


def _unscaled(scaled: Floats, transform: Transform) -> Floats:
    if transform == "logit":
        return np.asarray(expit(scaled))
    if transform == "one_minus":
        return -np.expm1(-scaled)
    return np.exp(scaled) if transform == "log" else scaled
