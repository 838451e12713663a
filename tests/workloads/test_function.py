from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from search_spaces import ConfigurationError, build_space
from workloads import Device, Fidelity, Objective
from workloads.function import from_function

SPACE = build_space(
    {
        "parameters": {
            "x": {"type": "float", "low": 0, "high": 1, "mutable": True},
            "y": {"type": "int", "low": 0, "high": 9},
        }
    }
)
ONE, TWO = [Objective("loss")], [Objective("loss"), Objective("size")]
CONFIG = {"x": 0.5, "y": 3}


def run(function: Callable[..., Any], objectives: list[Objective] = ONE, **options: Any) -> dict[str, float]:
    return dict(from_function(function, SPACE, objectives, **options).start(CONFIG, 8, Device()).advance(1))


def test_a_function_of_the_configuration() -> None:
    assert run(lambda config: {"loss": config["x"], "extra": 1}) == {"loss": 0.5, "extra": 1.0}


def test_a_function_that_takes_the_seed() -> None:
    assert run(lambda config, seed: {"loss": seed}) == {"loss": 8.0}
    assert run(lambda config, *, seed=1: {"loss": seed}) == {"loss": 8.0}


def test_a_function_of_the_fidelity_gets_all_units_so_far() -> None:
    workload = from_function(lambda config, fidelity: fidelity, SPACE, ONE, Fidelity("epoch", largest=9))
    session = workload.start(CONFIG, 0, Device())
    assert [session.advance(amount)["loss"] for amount in (1, 3, 2)] == [1.0, 4.0, 6.0]


def test_one_number_is_the_one_objective() -> None:
    assert run(lambda config: config["y"]) == {"loss": 3.0}


def test_arguments_with_defaults_are_the_functions_own() -> None:
    assert run(partial(lambda config, scale, shift=1: scale * shift, scale=2)) == {"loss": 2.0}


def test_configuring_changes_mutable_values_alone() -> None:
    session = from_function(dict, SPACE, ONE).start(CONFIG, 0, Device())
    session.configure({"x": 0.25, "y": 7})
    assert session.advance(1) == {"x": 0.25, "y": 3.0}


def test_a_parameter_that_becomes_inactive_is_absent() -> None:
    kind = {"type": "categorical", "choices": ["sgd", "adam"], "mutable": True}
    momentum = {"type": "float", "low": 0, "high": 1, "mutable": True}
    conditions = [{"child": "momentum", "parent": "opt", "equals": "sgd"}]
    space = build_space({"parameters": {"opt": kind, "momentum": momentum}, "conditions": conditions})
    seen: list[dict[str, Any]] = []
    workload = from_function(lambda config: seen.append(config) or 0.0, space, ONE)
    session = workload.start({"opt": "sgd", "momentum": 0.5}, 0, Device())
    session.configure({"opt": "adam"})
    session.advance(1)
    session.configure({"opt": "sgd", "momentum": 0.25})
    session.advance(1)
    assert seen == [{"opt": "adam"}, {"opt": "sgd", "momentum": 0.25}]


def test_a_function_without_a_signature_gets_the_configuration() -> None:
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(dict)
    assert run(dict) == {"x": 0.5, "y": 3.0}


def test_the_function_cannot_change_the_sessions_configuration() -> None:
    session = from_function(lambda config: config.pop("x"), SPACE, ONE).start(CONFIG, 0, Device())
    assert session.advance(1) == session.advance(1)


def test_one_call_is_the_default_fidelity() -> None:
    assert from_function(len, SPACE, ONE).fidelity == Fidelity("call", 1, 1)


@pytest.mark.parametrize("function", [lambda: 0.0, lambda config, budget: 0.0])
def test_a_signature_that_cannot_be_called_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"function: expected arguments \(config\)"):
        run(function)


def test_more_than_one_unit_needs_a_function_that_knows() -> None:
    with pytest.raises(ConfigurationError, match="fidelity: expected one unit for a function without"):
        run(lambda config: 0.0, fidelity=Fidelity("epoch", largest=9))


@pytest.mark.parametrize("given", ["loss", {"name": "loss"}, {"name": "loss", "direction": "min"}])
def test_a_name_is_enough_for_an_objective(given: Any) -> None:
    assert from_function(len, SPACE, [given]).objectives == (Objective("loss"),)


def test_a_mapping_that_is_no_objective_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"objectives: expected metrics, each with a name.*got {'nme'"
    ):
        from_function(len, SPACE, [{"nme": "loss"}])


@pytest.mark.parametrize("value", [None, "0.5", [0.5]])
def test_a_metric_that_is_no_number_is_named(value: Any) -> None:
    with pytest.raises(TypeError, match="expected 'loss' to be a number, got"):
        run(lambda config: {"loss": value})


def test_there_must_be_an_objective() -> None:
    with pytest.raises(ConfigurationError, match="objectives: expected at least one"):
        run(lambda config: 0.0, [])


@pytest.mark.parametrize("result", [None, "0.5", [0.5]])
def test_results_that_are_no_metrics_are_refused(result: Any) -> None:
    with pytest.raises(TypeError, match="expected it to return a dict of metrics or a number, got"):
        run(lambda config: result)


def test_one_number_is_not_enough_for_two_objectives() -> None:
    with pytest.raises(TypeError, match=r"expected it to return a dict of metrics, got 0\.5"):
        run(lambda config: 0.5, TWO)
