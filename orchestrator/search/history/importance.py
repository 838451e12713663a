"""How important each hyperparameter was, by PED-ANOVA."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial

from orchestrator.objective import sign
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.optuna_export import to_optuna
from search_spaces import SearchSpace
from workloads.contract import Objective

FEWEST_TRIALS = 10
"""With fewer there is nothing to be said."""
TOP_SHARE, FEWEST_TOP = 0.1, 5
"""What counts as good: the best tenth, and at least this many trials, as Optuna advises."""


@dataclass(frozen=True)
class Importance:
    """Shares of the hyperparameters in one goal.

    Args:
        goal: what they are important for.
        shares: by hyperparameter, the largest first; they sum to 1.
    """

    goal: str
    shares: dict[str, float]


def importance(history: SearchHistory, space: SearchSpace) -> tuple[Importance, ...]:
    """Per objective, and for several objectives together; empty where too few trials were trained fully.

    PED-ANOVA (Watanabe et al. 2023), as Optuna has it, with its treatment of conditional parameters: how
    differently a parameter is distributed among the best tenth of the trials and among all of them. For
    several objectives together the best tenth are those by non-domination rank; of a rank that is only partly
    among them, those that cover the most hypervolume. The importance is then one for coming near the Pareto
    front, wherever on it. Bounds and constraints play no part in it.
    """
    count = int(np.isfinite(history.archive.losses).all(axis=1).sum())
    if count < FEWEST_TRIALS:
        return ()
    study = to_optuna(history, space)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(TOP_SHARE, FEWEST_TOP / count))

    def shares(target: Callable[[FrozenTrial], float] | None) -> dict[str, float]:
        with warnings.catch_warnings():
            # It warns of what the docstrings here say.
            warnings.simplefilter("ignore", (UserWarning, ExperimentalWarning))
            found = get_param_importances(study, evaluator=evaluator, target=target)
        return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))

    objectives = history.start.objectives
    found = [
        Importance(objective.name, shares(_loss(column, objective)))
        for column, objective in enumerate(objectives)
    ]
    if len(objectives) > 1:
        found.insert(0, Importance("the Pareto front", shares(None)))
    return tuple(found)


def _loss(column: int, objective: Objective) -> Callable[[FrozenTrial], float]:
    return lambda trial: sign(objective) * float(trial.values[column])
