"""How good a result of one objective is, also where constraints are violated."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.optimizers.unfinished import finished
from orchestrator.trial import Trial


@dataclass(frozen=True, order=True)
class Score:
    """Feasible results by their loss; behind them the others, by the sum of their violations (Deb 2000)."""

    violation: float
    loss: float

    @property
    def known(self) -> bool:
        """Whether it is that of a trial that finished."""
        return self.loss < math.inf


UNKNOWN = Score(math.inf, math.inf)
"""Of a trial that did not finish; behind all others."""


def score(trial: Trial) -> Score:
    """The score of a trial."""
    if not finished(trial):
        return UNKNOWN
    return Score(sum(max(0.0, violation) for violation in trial.violations), trial.losses[0])
