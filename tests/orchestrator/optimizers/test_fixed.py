"""Optimizers that search a part of a space, or take its defaults."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.defaults import DefaultConfiguration
from orchestrator.optimizers.sobol import SobolSearch
from search_spaces import ConfigurationError, build_space
from workloads import Objective

LOSS = (Objective("loss"),)
SPACE = build_space(
    {
        "parameters": {
            "optimizer": {"type": "categorical", "choices": ["adam", "sgd"]},
            "adam_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "default": 1e-3},
            "sgd_rate": {"type": "float", "low": 1e-3, "high": 1.0, "log": True, "default": 1e-2},
            "width": {"type": "int", "low": 1, "high": 9, "default": 4},
        },
        "conditions": [
            {"child": "adam_rate", "parent": "optimizer", "equals": "adam"},
            {"child": "sgd_rate", "parent": "optimizer", "equals": "sgd"},
        ],
        "forbidden": [{"optimizer": "sgd", "width": 9}],
    }
)


def test_quasi_random_points_keep_what_is_fixed_and_cover_the_rest() -> None:
    points = [one.config for one in SobolSearch(SPACE, LOSS, 0, fixed={"optimizer": "sgd"}).ask(64)]
    assert {point["optimizer"] for point in points} == {"sgd"}
    assert all(point.keys() == {"optimizer", "sgd_rate", "width"} for point in points)
    assert {point["width"] for point in points} == set(range(1, 9))
    rates = sorted(float(point["sgd_rate"]) for point in points)
    assert rates[0] < 2e-3 and rates[-1] > 0.5 and len(set(rates)) == 64


def test_without_anything_fixed_points_are_those_of_the_sequence() -> None:
    plain, empty = SobolSearch(SPACE, LOSS, 5), SobolSearch(SPACE, LOSS, 5, fixed={})
    assert [one.config for one in plain.ask(9)] == [one.config for one in empty.ask(9)]


def test_the_default_configuration_is_suggested_once() -> None:
    optimizer = DefaultConfiguration(SPACE, LOSS, 0)
    assert [one.config for one in optimizer.ask(3)] == [{"optimizer": "adam", "adam_rate": 1e-3, "width": 4}]
    assert optimizer.ask() == [] and optimizer.why_none == "there is one default configuration"
    fixed = DefaultConfiguration(SPACE, LOSS, 0, fixed={"optimizer": "sgd", "width": 2})
    assert fixed.ask()[0].config == {"optimizer": "sgd", "sgd_rate": 1e-2, "width": 2}


@pytest.mark.parametrize("kind", [SobolSearch, DefaultConfiguration])
@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"optimiser": "sgd"}, r"optimizer\.fixed: expected names among .*'optimiser'.*optimizer"),
        ({"optimizer": "lion"}, r"optimizer\.fixed\.optimizer: expected .*'lion'"),
        ({"sgd_rate": 0.1}, r"optimizer\.fixed: expected a value for 'optimizer' that makes sgd_rate active"),
        ({"optimizer": "adam", "sgd_rate": 0.1}, "that makes sgd_rate active"),
    ],
)
def test_what_does_not_fit_the_space_is_refused(kind: type[Optimizer], fixed: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        kind(SPACE, LOSS, 0, fixed=fixed)  # type: ignore[call-arg]
