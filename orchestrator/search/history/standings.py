"""What a search's finalists reached, and what they had reached before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.objective import in_own_direction
from orchestrator.search.finals.finals import averaged
from orchestrator.search.history.history import SearchHistory
from orchestrator.text import number


@dataclass(frozen=True)
class Standing:
    """A finalist. Values are one per objective, in their own units and directions.

    Args:
        number: of the trial.
        evaluations: how many have ended with a result.
        means, spreads: of the evaluations, and their standard deviations; NaN where unknown.
        searched: what the trial had reached in the search.
        feasible: whether the means violate no constraint.
        best: whether it is in the Pareto set of the finalists; of one objective, the best.
        knee: whether it is the best trade-off.
        reason: why it has no means; empty where it has some.
    """

    number: int
    evaluations: int
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    searched: tuple[float, ...]
    feasible: bool
    best: bool
    knee: bool
    reason: str

    def texts(self, place: int) -> tuple[str, str]:
        """The values of an objective for people: the mean with its spread, and what it was in the search."""
        mean, spread = number(self.means[place]), self.spreads[place]
        around = "" if np.isnan(spread) else f" ± {number(spread)}"
        return f"{mean}{around}", number(self.searched[place])


def standings(history: SearchHistory) -> list[Standing]:
    """The finalists of the plan in force, in its order: that of their results in the search."""
    plan, decided = history.finals.plan, history.judged
    if plan is None:
        return []
    over = decided.archive is not history.archive
    front = {record.number for record in history.pareto()} if over else set()
    knee = history.knee()
    return [
        _standing(history, one, one in front, over and knee is not None and knee.number == one)
        for one in plan.trials
    ]


def _standing(history: SearchHistory, finalist: int, best: bool, knee: bool) -> Standing:
    record, objectives = history.records[finalist], history.start.objectives
    evaluations = history.finals.of(record.config)
    mean = averaged(record, evaluations).trial
    losses = np.array([one.trial.losses for one in evaluations if one.trial is not None and one.trial.usable])
    unknown = np.full(len(objectives), np.nan)
    assert mean is not None and record.trial is not None
    return Standing(
        finalist,
        len(losses),
        tuple(in_own_direction(*pair) for pair in zip(mean.losses, objectives, strict=True)),
        tuple(map(float, losses.std(axis=0, ddof=1) if len(losses) > 1 else unknown)),
        tuple(in_own_direction(*pair) for pair in zip(record.trial.losses, objectives, strict=True)),
        mean.feasible,
        best,
        knee,
        "" if mean.usable else mean.reason,
    )
