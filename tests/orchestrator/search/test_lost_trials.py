"""What libraries make of trials that were lost: nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from optuna.trial import TrialState

from orchestrator.optimizers.nevergrad import Nevergrad
from orchestrator.optimizers.optuna import OptunaTpe
from orchestrator.optimizers.smac import SmacHpo
from orchestrator.search import Optimizer
from orchestrator.trial import Suggestion, Trial, lost
from search_spaces import build_space
from workloads.contract import Objective

SPACE = {"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "xy"}}
LOST = (3, 8)


def used(make: Any, trials: int = 12) -> tuple[Optimizer, dict[int, Suggestion]]:
    """An optimizer after so many trials, and the suggestions of those that were lost."""
    optimizer = make(build_space(SPACE), (Objective("loss"),), 0)
    gone = {}
    for number in range(trials):
        (suggestion,) = optimizer.ask()
        trial = Trial(suggestion, (suggestion.config["x"],))
        if number in LOST:
            gone[number] = suggestion
            trial = lost(suggestion, "its node died", optimizer.objectives)
        optimizer.tell([trial])
    return optimizer, gone


def test_optuna_neither_waits_for_lost_trials_nor_counts_them() -> None:
    optimizer, gone = used(partial(OptunaTpe, n_startup_trials=4))
    states = [trial.state for trial in optimizer._study.trials]  # type: ignore[attr-defined]
    assert states.count(TrialState.FAIL) == 2 and states.count(TrialState.COMPLETE) == 10
    optimizer.tell([Trial(gone[3], (0.5,))])
    last = optimizer._study.trials[-1]  # type: ignore[attr-defined]
    assert (last.params, last.values, last.state) == (gone[3].config, [0.5], TrialState.COMPLETE)


def test_the_model_of_smac_does_not_see_lost_trials() -> None:
    optimizer, _ = used(partial(SmacHpo, n_trials=20))
    encoder = optimizer._running()._facade._runhistory_encoder  # type: ignore[attr-defined]
    assert len(encoder._get_considered_trials()) == 10


@pytest.mark.parametrize("first", [True, False])
def test_an_algorithm_that_goes_step_by_step_goes_on(first: bool) -> None:
    optimizer = Nevergrad(build_space(SPACE), (Objective("loss"),), 0, n_trials=20)
    for number in range(8):
        (suggestion,) = optimizer.ask()
        trial = Trial(suggestion, (suggestion.config["x"],))
        if number == (0 if first else 3):
            trial = lost(suggestion, "its node died", optimizer.objectives)
        optimizer.tell([trial])
