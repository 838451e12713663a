import math

import pytest

from orchestrator.objective import MissingMetricError
from orchestrator.trial import Suggestion, evaluated, failed, lost
from workloads import Objective

OBJECTIVES = (Objective("accuracy", "max", bound=0.5), Objective("size"))
CONSTRAINTS = (Objective("latency", bound=10.0),)
SUGGESTION = Suggestion({"x": 1}, token=0)


def test_losses_and_violations_are_to_be_minimised() -> None:
    metrics = {"accuracy": 0.75, "size": 3.0, "latency": 12.0}
    trial = evaluated(SUGGESTION, metrics, OBJECTIVES, CONSTRAINTS, fidelity=4)
    assert trial.losses == (-0.75, 3.0)
    assert trial.violations == (-0.25, 2.0)
    assert trial.usable
    assert not trial.feasible
    assert trial.config == {"x": 1}
    assert evaluated(SUGGESTION, metrics | {"latency": 10.0}, OBJECTIVES, CONSTRAINTS).feasible


@pytest.mark.parametrize("name", ["accuracy", "size", "latency"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_fails_the_trial_and_is_named(name: str, value: float) -> None:
    metrics = {"accuracy": 0.75, "size": 3.0, "latency": 2.0} | {name: value}
    trial = evaluated(SUGGESTION, metrics, OBJECTIVES, CONSTRAINTS)
    assert trial.status == "failed"
    assert trial.reason == f"not a finite number: {name} = {value}"
    assert not trial.usable


def test_a_missing_metric_is_named_with_those_that_were_reported() -> None:
    with pytest.raises(MissingMetricError, match=r"'latency'; it reported \['accuracy', 'size'\]"):
        evaluated(SUGGESTION, {"accuracy": 1.0, "size": 1.0}, OBJECTIVES, CONSTRAINTS)


def test_a_failed_trial_has_no_result() -> None:
    trial = failed(SUGGESTION, "out of memory", OBJECTIVES, CONSTRAINTS)
    assert len(trial.losses) == len(trial.violations) == 2
    assert not trial.usable
    assert not trial.feasible


def test_a_lost_trial_has_no_result_either_and_is_not_a_failed_one() -> None:
    trial = lost(SUGGESTION, "its process died", OBJECTIVES, CONSTRAINTS, seconds=2.0)
    assert (trial.status, trial.reason, trial.seconds) == ("lost", "its process died", 2.0)
    assert len(trial.losses) == 2 and len(trial.violations) == 2
    assert not trial.usable and not trial.feasible
