"""The trust region of TuRBO: how its size follows from results."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from orchestrator.optimizers.score import Score

LARGEST, SMALLEST, FIRST = 1.6, 0.5**7, 0.8
"""Side lengths in the unit cube; below the smallest, a region is given up."""
SUCCESSES = 3
"""After so many improvements in a row it grows to twice its length."""
LEAST_GAIN = 1e-3
"""The share of the best loss's size by which another is to be better."""


@dataclass(frozen=True)
class TrustRegion:
    """One region of TuRBO-1 (Eriksson et al. 2019, section 2), with the rule of SCBO (Eriksson and Poloczek
    2021) where there are constraints.

    Args:
        best: the best result in it.
        patience: after so many results in a row without an improvement it shrinks to half its length; in the
            paper the number of parameters, and at least 4.
        length: of its sides, before they are scaled to the model's length scales.
        successes: improvements in a row.
        failures: other results in a row.
    """

    best: Score
    patience: int
    length: float = FIRST
    successes: int = 0
    failures: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether it has become too small to go on in."""
        return self.length < SMALLEST

    def after(self, result: Score) -> TrustRegion:
        """The region once a suggestion from it has this result."""
        if _clearly_better(result, self.best):
            return replace(self, best=result, successes=self.successes + 1, failures=0)._resized()
        return replace(self, successes=0, failures=self.failures + 1)._resized()

    def _resized(self) -> TrustRegion:
        if self.successes == SUCCESSES:
            return replace(self, length=min(2 * self.length, LARGEST), successes=0)
        if self.failures == self.patience:
            return replace(self, length=self.length / 2, failures=0)
        return self


def patience(dim: int) -> int:
    """The paper's number of failures in a row, for one suggestion at a time."""
    return max(4, math.ceil(dim))


def _clearly_better(result: Score, best: Score) -> bool:
    if result.violation or best.violation:
        return result.violation < best.violation
    return result.loss < best.loss - LEAST_GAIN * abs(best.loss)
