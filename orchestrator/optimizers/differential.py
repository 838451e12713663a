"""Differential evolution in the unit cube (Storn and Price 1997), one individual at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.optimizers.score import Score
from search_spaces.columns import Floats

PARENTS = 3
"""How many different individuals a mutant is made of."""


def mutant(pool: Floats, factor: float, rng: np.random.Generator) -> Floats:
    """``a + factor * (b - c)`` of three different rows (rand/1), shape ``(dim,)``; perhaps outside the cube.

    Args:
        pool: ``(n, dim)``, at least three rows.
    """
    first, second, third = pool[rng.choice(len(pool), PARENTS, replace=False)]
    return np.asarray(first + factor * (second - third))


def crossed(target: Floats, other: Floats, probability: float, rng: np.random.Generator) -> Floats:
    """Each coordinate of ``other`` with ``probability``, at least one; the others of ``target``."""
    taken = rng.random(len(target)) < probability
    taken[rng.integers(len(target))] = True
    return np.where(taken, other, target)


def inside(point: Floats, rng: np.random.Generator) -> Floats:
    """``point`` with a uniform draw in the place of each coordinate outside [0, 1]."""
    return np.where((point < 0) | (point > 1), rng.random(len(point)), point)


def best_rows(scores: Sequence[Score], count: int) -> list[int]:
    """The rows of the ``count`` best scores, the best first; of equals the first."""
    return sorted(range(len(scores)), key=lambda row: (scores[row], row))[:count]
