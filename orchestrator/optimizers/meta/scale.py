"""The scale on which the network sees losses: the logarithm of their distance from the best one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from search_spaces.columns import Floats

SHARPNESS = 0.1
"""The scale is linear within this share of the distance from the best to the median loss."""


@dataclass(frozen=True)
class LossScale:
    """Losses relative to what is known: 0 is the best one, improvements are below.

    With ``t`` the distance from the best loss, in units of that from the best to the median one, it is
    ``sign(t) log(1 + |t| / .1)``: losses of any size and skew become numbers of a few units, and differences
    near the best one, which matter, count as much as those among bad ones. It makes no difference what
    losses are multiplied by, or what is added to them.

    Args:
        best: the best loss of each function, ``(functions, 1)``.
        unit: the distance to the median.
    """

    best: Floats
    unit: Floats

    @classmethod
    def of(cls, losses: Floats) -> Self:
        """The scale of known losses, finite ones, ``(functions, n)``."""
        best = losses.min(axis=1, keepdims=True)
        unit = np.median(losses, axis=1, keepdims=True) - best
        # More than half are the best: then the mean says how far the others are.
        unit = np.where(unit > 0, unit, losses.mean(axis=1, keepdims=True) - best)
        return cls(best, np.where(unit > 0, unit, 1.0))

    def scaled(self, losses: Floats) -> Floats:
        """Losses on the scale, ``(functions, m)``."""
        distance = (losses - self.best) / (SHARPNESS * self.unit)
        return np.asarray(np.sign(distance) * np.log1p(np.abs(distance)))

    def losses(self, scaled: Floats) -> Floats:
        """The opposite."""
        return np.asarray(self.best + SHARPNESS * self.unit * np.sign(scaled) * np.expm1(np.abs(scaled)))
