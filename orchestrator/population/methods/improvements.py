"""What intervals gained, as observations of a surrogate that predicts what one will gain."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np

from orchestrator.population.past import NOTHING, Past, Rows
from orchestrator.population.rules.contract import Floats, Mask
from search_spaces import SearchSpace
from search_spaces.columns import Kind

NUMBERS: tuple[Kind, ...] = ("float", "int", "ordinal")
CATEGORIES: tuple[Kind, ...] = ("categorical",)

CLIPPED = 2.0
"""Standardised gains count up to this far from their mean; a failed interval gained this much less."""


@dataclass(frozen=True)
class Improvements:
    """Past intervals on known weights, oldest first; those on new or changed weights tell no gain.

    Args:
        rows: where they stand in the past, shape ``(n,)``.
        rounds: intervals in the member's life, this one included, shape ``(n,)``.
        before: the loss of the weights that they trained on, shape ``(n,)``.
        gains: how much lower the loss was per training step afterwards; NaN where it failed, shape ``(n,)``.
    """

    rows: Rows
    rounds: Rows
    before: Floats
    gains: Floats

    @classmethod
    def of(cls, past: Past) -> Improvements:
        """What the past of a study with one objective tells."""
        rows = np.flatnonzero((past.origin != NOTHING) & ~past.changed)
        origin = past.origin[rows]
        before, after = past.losses[origin, 0], past.losses[rows, 0]
        steps = past.age[rows] - past.age[origin]
        known = np.isfinite(before) & (steps > 0)
        rows, before = rows[known], before[known]
        gains = (before - after[known]) / steps[known]
        return cls(rows, past.generation[rows], before, np.where(np.isfinite(gains), gains, np.nan))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | Mask) -> Improvements:
        """Some of them."""
        return Improvements(self.rows[chosen], self.rounds[chosen], self.before[chosen], self.gains[chosen])

    @property
    def standardised(self) -> Floats:
        """Gains with mean 0 and deviation 1, clipped to ``CLIPPED``, shape ``(n,)``.

        PB2 drops failed intervals. Here they count as the worst: else what led to them would stay attractive.
        """
        scores = np.full(len(self), -CLIPPED)
        healthy = ~np.isnan(self.gains)
        if healthy.any():
            known = self.gains[healthy]
            scores[healthy] = np.clip((known - known.mean()) / (known.std() + 1e-8), -CLIPPED, CLIPPED)
        return scores

    @property
    def rewards(self) -> Floats:
        """Gains from 0 (the worst, or failed) to 1 (the best), shape ``(n,)``."""
        if np.isnan(self.gains).all():
            return np.zeros(len(self))
        low, high = np.nanmin(self.gains), np.nanmax(self.gains)
        return np.nan_to_num((self.gains - low) / (high - low if high > low else 1.0))


@dataclass(frozen=True)
class Context:
    """What an interval begins with: its number in the member's life, and the loss of the weights."""

    round: int
    before: float


@dataclass(frozen=True)
class Configurations:
    """Mutable hyperparameters as a surrogate sees them; rows match.

    Args:
        numbers: in unit coordinates, an inactive one in the middle of its range, shape ``(n, d)``.
        categories: by number, -1 where inactive, shape ``(n, c)``.
    """

    numbers: Floats
    categories: Floats

    @classmethod
    def of(cls, units: Floats, space: SearchSpace, kinds: Collection[Kind] = (*NUMBERS, *CATEGORIES)) -> Self:
        """Units of shape ``(n, dim)``; parameters of other kinds are left out."""
        values = np.nan_to_num(
            units[:, mutable_columns(space, [kind for kind in kinds if kind in NUMBERS])], nan=0.5
        )
        chosen = mutable_columns(space, [kind for kind in kinds if kind in CATEGORIES])
        sizes = np.array([space.codec.columns[j].size for j in chosen])
        whole = np.minimum(np.floor(units[:, chosen] * sizes), sizes - 1)
        return cls(values, np.nan_to_num(whole, nan=-1.0))

    def __len__(self) -> int:
        return len(self.numbers)

    def last(self, n: int) -> Self:
        """The last ``n`` of them."""
        return type(self)(self.numbers[-n:], self.categories[-n:])

    def of_categories(self, chosen: Floats) -> Self:
        """The numbers of those with exactly these categories, shape ``(c,)``."""
        alike = (self.categories == chosen).all(axis=1)
        return type(self)(self.numbers[alike], np.empty((int(alike.sum()), 0)))

    def joined(self, numbers: Floats, categories: Floats) -> Self:
        """These and one more, of shapes ``(d,)`` and ``(c,)``, or several, ``(k, d)`` and ``(k, c)``."""
        return type(self)(np.vstack([self.numbers, numbers]), np.vstack([self.categories, categories]))


def mutable_columns(space: SearchSpace, kinds: Collection[Kind]) -> Rows:
    """The columns of units that may change while training runs and are of these kinds."""
    columns = enumerate(space.codec.columns)
    return np.array([j for j, one in columns if one.mutable and one.kind in kinds], dtype=np.intp)
