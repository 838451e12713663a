"""The order of methods on a task, from the final values of their seeds; a crash can only worsen a place.

A mean of normalised scores would not do for ranks. Normalisation depends on the worst result that any cell
has seen, so a cell that ends early can move the scale, and with it what a seed without a result costs. Places
depend on no scale:

- A method that found nothing with a smaller share of its seeds comes first.
- Of two with equal shares, the one with the smaller mean of its final values comes first. Sums are exact
  (``math.fsum``), so that equal methods share a place whatever the order of their seeds.

A cell that fails keeps its incumbent or has none, so neither number of its own method improves, and no other
method's changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Pairing = tuple[str, str]
"""Task and method."""
Key = tuple[float, float]
"""What orders the methods on a task, smaller first: the share of seeds without a result, and the mean."""


def keys_of(scores: pd.DataFrame) -> dict[Pairing, Key]:
    """The key of every method on every task.

    Args:
        scores: one row per cell that counts, with the columns task, method, value and found
            (:class:`.analysis.Analysis`).
    """
    values = np.where(scores["found"], scores["value"], np.nan)
    groups = scores.groupby(["task", "method"], sort=False).indices
    return {(str(task), str(method)): _key(values[rows]) for (task, method), rows in groups.items()}


def block_ranks(
    keys: Mapping[Pairing, Key], blocks: Sequence[Sequence[str]], methods: Sequence[str]
) -> Array:
    """Ranks of the methods in each block, 1 the best; shape ``(blocks, methods)``.

    Args:
        blocks: names of tasks. A block of several is ranked by the sum of the ranks on each of them.
    """
    orders = [_order([keys[task, method] for method in methods]) for tasks in blocks for task in tasks]
    ranks = stats.rankdata(np.reshape(orders, (len(orders), len(methods))), axis=1)
    ends = np.cumsum([len(tasks) for tasks in blocks])[:-1]
    sums = [own.sum(axis=0) for own in np.split(ranks, ends)] if blocks else []
    return np.asarray(stats.rankdata(np.reshape(sums, (len(blocks), len(methods))), axis=1), dtype=float)


def _key(values: Array) -> Key:
    known = values[~np.isnan(values)]
    mean = math.fsum(known) / len(known) if len(known) else 0.0
    return 1 - len(known) / len(values), mean


def _order(keys: Sequence[Key]) -> list[int]:
    """Numbers in the order of the keys, equal ones for equal keys."""
    places = {key: place for place, key in enumerate(sorted(set(keys)))}
    return [places[key] for key in keys]
