from __future__ import annotations

import pickle
from typing import Any

import pytest

from search_spaces import ConfigurationError, build_space
from search_spaces.exploring import AS_THE_RULE, Explore

FLOAT = {"type": "float", "low": 0.0, "high": 1.0, "mutable": True}
INT = {"type": "int", "low": 0, "high": 1, "mutable": True}


def explore_of(parameter: dict[str, Any]) -> Explore:
    space = pickle.loads(pickle.dumps(build_space({"parameters": {"x": parameter}})))
    (column,) = space.codec.columns
    explore: Explore = column.explore
    return explore


def test_what_a_parameter_says_stands_in_its_column() -> None:
    given = {"factors": [0.5, "2"], "resample": 0.1, "transform": "logit"}
    assert explore_of({**FLOAT, "explore": given}) == Explore((0.5, 2.0), 0.1, "logit")
    assert explore_of({**FLOAT, "explore": {"resample": 0}}) == Explore(resample=0.0)
    assert explore_of(FLOAT) == explore_of({**FLOAT, "explore": None}) == AS_THE_RULE


def test_choices_are_resampled() -> None:
    choices = {"type": "categorical", "choices": ["a", "b"], "mutable": True, "explore": {"resample": 1.0}}
    assert explore_of(choices) == Explore(resample=1.0)


@pytest.mark.parametrize(
    ("parameter", "key", "message"),
    [
        ({**FLOAT, "explore": {"factors": []}}, "explore.factors", "positive numbers"),
        ({**FLOAT, "explore": {"factors": [0.8, 0]}}, "explore.factors", "positive numbers"),
        ({**FLOAT, "explore": {"factors": [0.8, "big"]}}, "explore.factors[1]", "finite number"),
        ({**FLOAT, "explore": {"factors": 0.8}}, "explore.factors", "positive numbers"),
        ({**FLOAT, "explore": {"resample": 1.5}}, "explore.resample", "probability"),
        ({**FLOAT, "explore": {"transform": "logt"}}, "explore.transform", "did you mean 'logit'"),
        ({**FLOAT, "explore": {"transform": "log"}}, "explore.transform", "low is not positive"),
        ({**FLOAT, "high": 2, "explore": {"transform": "logit"}}, "explore.transform", "within"),
        ({**FLOAT, "low": -1, "explore": {"transform": "one_minus"}}, "explore.transform", "within"),
        ({**INT, "explore": {"transform": "logit"}}, "explore.transform", "float within"),
        ({**FLOAT, "explore": {"factor": [2]}}, "explore.factor", "no such key"),
        ({**FLOAT, "explore": "logit"}, "explore", "a mapping"),
        ({**FLOAT, "explore": {}}, "explore", "a mapping"),
        ({**FLOAT, "mutable": False, "explore": {"resample": 0.5}}, "mutable", "explore is given"),
        (
            {"type": "ordinal", "values": [1, 2], "mutable": True, "explore": {"factors": [2]}},
            "explore.factors",
            "no such key",
        ),
        ({"type": "constant", "value": 1, "explore": {"resample": 1}}, "explore", "no such key"),
    ],
)
def test_refuses(parameter: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        build_space({"parameters": {"x": parameter}})
    assert caught.value.key == f"search_space.parameters.x.{key}"
    assert "\n" not in str(caught.value)
