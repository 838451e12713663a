"""Hyperparameters that a method proposes, kept inside the search space."""

from __future__ import annotations

import numpy as np

from orchestrator.population.rules.contract import Floats, Mask
from search_spaces import SearchSpace


def inherited(own: Floats, parents: Floats, space: SearchSpace, *, mutable: bool = True) -> Floats:
    """What members have before anything changes: what their parents trained with, shape ``(n, dim)``.

    Args:
        own: the hyperparameters that they trained with, in unit coordinates, shape ``(n, dim)``.
        parents: those of their parents, row by row.
        space: the search space.
        mutable: False: they keep their own mutable hyperparameters and take what is fixed at birth alone.
    """
    if mutable:
        return parents.copy()
    return np.where(space.codec.mutable, own, parents)


def inside(
    proposals: Floats, kept: Floats, space: SearchSpace, rng: np.random.Generator
) -> tuple[Floats, Mask]:
    """Proposals as the search space allows them, and which of them it allows.

    Only mutable hyperparameters differ from ``kept``, clipped to [0, 1]. Conditions are restored: what became
    inactive is NaN, what became active is drawn from its prior. A proposal that breaks a forbidden clause
    gives way to what is kept.

    Args:
        proposals: unit coordinates, shape ``(n, dim)``.
        kept: what each member inherited, shape ``(n, dim)``.
        space: the search space.
        rng: source of randomness.

    Returns:
        Unit coordinates, shape ``(n, dim)``, and whether each proposal was legal, shape ``(n,)``.
    """
    repaired = space.codec.repair(np.where(space.codec.mutable, np.clip(proposals, 0.0, 1.0), kept), rng)
    legal = space.codec.legal(repaired)
    return np.where(legal[:, None], repaired, kept), legal
