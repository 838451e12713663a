from typing import Any

import numpy as np
import pytest

from search_spaces import ConfigurationError, build_space


def space(**definition: Any) -> Any:
    return build_space({"parameters": {"p": definition}})


def test_a_float_in_steps_has_just_these_values() -> None:
    made = space(type="float", low=0.0, high=0.5, step=0.1)
    drawn = {config["p"] for config in made.sample(200, np.random.default_rng(0))}
    assert drawn == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5}
    assert made.default() == {"p": 0.2}
    assert space(type="float", low=0.0, high=0.5, step=0.1, default=0.3).default() == {"p": 0.3}


def test_an_integer_in_steps_stays_one_and_keeps_its_order() -> None:
    made = space(type="int", low=16, high=64, step=16, mutable=True)
    values = [config["p"] for config in made.codec.decode([[0.1], [0.4], [0.6], [0.9]])]
    assert values == [16, 32, 48, 64] and {type(value) for value in values} == {int}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"step": 0}, "step: expected a number above 0 that divides high - low = 10"),
        ({"step": -5}, "step: expected a number above 0"),
        ({"step": 3}, "step: expected a number above 0 that divides"),
        ({"step": 20}, "step: expected a number above 0 that divides"),
        ({"step": 0.001}, "into fewer than 1000 steps, got 0.001"),
        ({"step": "x"}, "step: expected a"),
        ({"step": 1, "log": True, "low": 1, "high": 11}, "log: expected no log beside step"),
        (
            {"step": 1, "prior": {"type": "normal", "mean": 1, "std": 1}},
            "prior: expected no prior beside step",
        ),
        ({"step": 1, "default": 0.5}, "default: expected one of"),
    ],
)
def test_steps_that_make_no_grid_are_refused(other: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^search_space\.parameters\.p\.") as refused:
        space(**{"type": "float", "low": 0, "high": 10} | other)
    assert message in str(refused.value)
