"""Which of two training curves improves faster where both have come as far.

After FIRE PBT (Dalibard and Jaderberg 2021, arXiv 2109.13800) and the code of it in github AwesomeLemon/IPBT
(``algo/firepbt_utils.py``). Curves are losses, one for each interval, oldest first, not empty, all finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import bdtrc

from orchestrator.population.rules.contract import Floats

BANDWIDTH = 1.0
"""Intervals that smoothing reaches to either side."""

SHIFTS = 10
"""At how many heights a curve that is better throughout is held against the other."""


def smoothed(curve: Floats) -> Floats:
    """A curve ``(t,)`` without its noise: each point the mean of all, those nearby counting most.

    The code smooths with a Gaussian process whose scale it fits; a fixed one needs no fit at each decision.
    """
    weights, totals = _weights(len(curve))
    means: Floats = weights @ curve / totals
    return means


@lru_cache(maxsize=64)
def _weights(length: int) -> tuple[Floats, Floats]:
    """What each point of a curve counts for in the mean at each, ``(t, t)``, and the sums of its rows."""
    steps = np.arange(length)
    weights = np.exp(-0.5 * np.square((steps[:, None] - steps[None, :]) / BANDWIDTH))
    return weights, weights.sum(axis=1)


@dataclass(frozen=True)
class Race:
    """Two curves, held against each other from where they are equally good first."""

    ours: Floats
    theirs: Floats

    @cached_property
    def overlap(self) -> tuple[int, int, int] | None:
        """Where both are equally good first, and for how long both go on from there.

        The curve that begins worse counts from where it has become as good as the other's beginning.
        First step of ours, first step of theirs, and steps; None: the worse one never gets there.
        """
        one, other = smoothed(self.ours), smoothed(self.theirs)
        behind, ahead = (one, other) if one[0] > other[0] else (other, one)
        there = behind <= ahead[0]
        start = int(there.argmax())
        if not there[start]:
            return None
        first, second = (start, 0) if one[0] > other[0] else (0, start)
        return first, second, min(len(one) - first, len(other) - second)

    @cached_property
    def lead(self) -> float:
        """By how much our best is better than theirs over the overlap; above 0: better.

        Without overlap 0, unless ours is better throughout: it is then made worse until its beginning lies
        within theirs, at several heights, and the largest lead counts, at least 0.
        """
        found = self._lead()
        if found is not None:
            return found
        low, high, ceiling = self.theirs.min(), self.theirs.max(), self.ours.max()
        if ceiling >= low:
            return 0.0
        heights = np.linspace(low - ceiling, high - ceiling, SHIFTS, endpoint=False)
        return max(0.0, *(Race(self.ours + height, self.theirs)._lead() or 0.0 for height in heights))

    @cached_property
    def chance(self) -> float:
        """p-value of the sign test that ours is better step by step over the overlap.

        Without overlap it is 0 where ours is better throughout, 1 where it is worse throughout, and otherwise
        that of the whole curves.
        """
        ours, theirs, where = self.ours, self.theirs, self.overlap
        if where is None and ours.max() < theirs.min():
            return 0.0
        if where is None and theirs.max() < ours.min():
            return 1.0
        first, second, steps = where or (0, 0, min(len(ours), len(theirs)))
        better = int((ours[first : first + steps] < theirs[second : second + steps]).sum())
        return float(bdtrc(better - 1, steps, 0.5))

    def _lead(self) -> float | None:
        if self.overlap is None:
            return None
        first, second, steps = self.overlap
        return float(self.theirs[second : second + steps].min() - self.ours[first : first + steps].min())
