"""Configurations that an acquisition function is compared at: anywhere, and near good ones."""

from __future__ import annotations

import numpy as np

from search_spaces import SearchSpace
from search_spaces.columns import Floats

_SMALLEST, _LARGEST = 0.01, 0.3
"""Standard deviations of steps, in the unit cube."""
_CHANGED = 2.0
"""About how many parameters a step changes at least; in some steps it is all of them."""


def anywhere(space: SearchSpace, count: int, rng: np.random.Generator) -> Floats:
    """Draws from the space's priors, ``(count, dim)``, NaN where inactive; every one is allowed."""
    return snapped(space, space.sample_units(count, rng))


def near(space: SearchSpace, middles: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Up to ``count`` allowed configurations, each by a step from one of ``middles``, ``(n, dim)``.

    A number moves by a draw from a normal distribution whose standard deviation is drawn anew for each step;
    a category becomes any.
    """
    codec = space.codec
    rows = middles[np.arange(count) % len(middles)]
    spread = np.exp(rng.uniform(np.log(_SMALLEST), np.log(_LARGEST), (count, 1)))
    share = np.where(rng.random((count, 1)) < 0.5, min(1.0, _CHANGED / codec.dim), 1.0)
    changed = rng.random(rows.shape) < share
    moved = np.clip(rows + changed * spread * rng.normal(size=rows.shape), 0.0, 1.0)
    categorical = np.array([column.kind == "categorical" for column in codec.columns])
    # All categories at once would leave nothing of the configuration.
    others = rng.random(rows.shape) < min(0.5, 1.0 / codec.dim)
    moved = np.where(categorical, np.where(others, rng.random(rows.shape), rows), moved)
    units = codec.repair(np.where(np.isnan(rows), np.nan, moved), rng)
    return snapped(space, units[codec.legal(units)])


def snapped(space: SearchSpace, units: Floats) -> Floats:
    """The coordinates that :meth:`.Codec.encode` would give: the middle of a value's bin."""
    middles = units.copy()
    for j, column in enumerate(space.codec.columns):
        if column.kind != "float":
            middles[:, j] = column.to_units(column.from_units(units[:, j]))
    return middles
