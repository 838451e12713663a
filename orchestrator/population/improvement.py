"""Which of two training curves improves faster where both have come as far.

After FIRE PBT (Dalibard and Jaderberg 2021, arXiv 2109.13800) and the code of it in github AwesomeLemon/IPBT
(``algo/firepbt_utils.py``). Curves are losses, one for each interval, oldest first, not empty, all finite.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from orchestrator.population.rules.contract import Floats

BANDWIDTH = 1.0
"""Intervals that smoothing reaches to either side."""

SHIFTS = 10
"""At how many heights a curve that is better throughout is held against the other."""


def smoothed(curve: Floats) -> Floats:
    """A curve ``(t,)`` without its noise: each point the mean of all, those nearby counting most.

    The code smooths with a Gaussian process whose scale it fits; a fixed one needs no fit at each decision.
    """
    steps = np.arange(len(curve))
    weights = np.exp(-0.5 * np.square((steps[:, None] - steps[None, :]) / BANDWIDTH))
    means: Floats = weights @ curve / weights.sum(axis=1)
    return means


def overlap(ours: Floats, theirs: Floats) -> tuple[int, int, int] | None:
    """Where two curves are equally good first, and for how long both go on from there.

    The curve that begins worse counts from where it has become as good as the other's beginning.

    Returns:
        First step of ours, first step of theirs, and steps; None: the worse one never gets there.
    """
    one, other = smoothed(ours), smoothed(theirs)
    behind, ahead = (one, other) if one[0] > other[0] else (other, one)
    there = np.flatnonzero(behind <= ahead[0])
    if not len(there):
        return None
    first, second = (int(there[0]), 0) if one[0] > other[0] else (0, int(there[0]))
    return first, second, min(len(ours) - first, len(theirs) - second)


def lead(ours: Floats, theirs: Floats) -> float:
    """By how much the best of ours is better than the best of theirs over their overlap; above 0: better.

    Without overlap 0, unless ours is better throughout: it is then made worse until its beginning lies within
    theirs, at several heights, and the largest lead counts, at least 0.
    """
    found = _lead(ours, theirs)
    if found is not None:
        return found
    if ours.max() >= theirs.min():
        return 0.0
    heights = np.linspace(theirs.min() - ours.max(), theirs.max() - ours.max(), SHIFTS, endpoint=False)
    return max(0.0, *(_lead(ours + height, theirs) or 0.0 for height in heights))


def chance(ours: Floats, theirs: Floats) -> float:
    """p-value of the sign test that ours is better step by step over their overlap.

    Without overlap it is 0 where ours is better throughout, 1 where it is worse throughout, and otherwise
    that of the whole curves.
    """
    where = overlap(ours, theirs)
    if where is None and ours.max() < theirs.min():
        return 0.0
    if where is None and theirs.max() < ours.min():
        return 1.0
    first, second, steps = where or (0, 0, min(len(ours), len(theirs)))
    better = int((ours[first : first + steps] < theirs[second : second + steps]).sum())
    return float(binom.sf(better - 1, steps, 0.5))


def _lead(ours: Floats, theirs: Floats) -> float | None:
    where = overlap(ours, theirs)
    if where is None:
        return None
    first, second, steps = where
    return float(theirs[second : second + steps].min() - ours[first : first + steps].min())
