"""Finds an untried configuration, for libraries that give up looking for one, and says when there is none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator

import numpy as np

from orchestrator.optimizers.base import Optimizer
from search_spaces import Config, SearchSpace
from search_spaces.columns import Column, Floats
from search_spaces.values import config_key

_DRAWS = 256
"""If a larger share of the space is untried, drawing is faster than listing."""
_LARGEST = 200_000
"""The size of the largest space that is listed; a larger one is never exhausted."""


def untried(space: SearchSpace, tried: Iterable[Config], rng: np.random.Generator) -> Config | None:
    """A random configuration that is not among ``tried``; None if the space has no other."""
    known = {config_key(config) for config in tried}
    for units in (rng.random((_DRAWS, space.codec.dim)), all_units(space)):
        if units is None:
            continue
        rows = space.codec.repair(units, rng)
        rows = rows[space.codec.legal(rows)]
        fresh = [config for config in space.codec.decode(rows) if config_key(config) not in known]
        if fresh:
            return fresh[int(rng.integers(len(fresh)))]
    return None


def nothing_left(optimizer: Optimizer, tried: int) -> str:
    """Why an optimizer has no more suggestions, in one line.

    Args:
        tried: how many different configurations were suggested.
    """
    size = _count(optimizer.space)
    if size is not None and tried >= size:
        return f"the optimizer has tried the whole search space, {size} configurations"
    why = optimizer.why_none or f"{type(optimizer).__name__} has no more suggestions"
    whole = "" if size is None else f" of {size}"
    return f"{why} after {tried}{whole} configurations"


def _count(space: SearchSpace) -> int | None:
    """How many configurations a space has; None where that is not counted."""
    units = all_units(space)
    if units is None:
        return None
    rows = space.codec.repair(units, np.random.default_rng(0))
    rows = rows[space.codec.legal(rows)]
    return len({config_key(config) for config in space.codec.decode(rows)})


def all_units(space: SearchSpace, most: int = _LARGEST) -> Floats | None:
    """Coordinates of everything in a finite space, conditions and clauses aside; None: that is too much."""
    columns = space.codec.columns
    if any(column.kind == "float" for column in columns):
        return None
    if math.prod(map(_size, columns)) > most:
        return None
    return np.array(list(itertools.product(*map(_values, columns))))


def _size(column: Column) -> int:
    return column.size or int(column.high - column.low) + 1


def _values(column: Column) -> Iterator[float]:
    yield from column.to_units(np.arange(column.low, column.low + _size(column))).tolist()
