"""Choices that go by a label: what they stand for reaches the workload alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search_spaces import ConfigurationError, SearchSpace, build_space, trusted_space

DEFINITION: dict[str, Any] = {
    "parameters": {
        "layers": {"type": "categorical", "choices": {"small": [64], "large": [128, 128], "none": None}}
        | {"weights": [0, 1, 1], "default": "large"},
        "augment": {
            "type": "ordinal",
            "values": {"weak": {"flip": True}, "strong": {"flip": True, "cut": 8}},
        },
        "rate": {"type": "float", "low": 0.0, "high": 1.0},
    },
    "conditions": [{"child": "augment", "parent": "layers", "not_equals": "none"}],
    "forbidden": [{"layers": "large", "augment": "strong"}],
}


@pytest.mark.parametrize("build", [build_space, trusted_space])
def test_everything_but_the_workload_goes_by_the_label(build: Any) -> None:
    space: SearchSpace = build(DEFINITION)
    configs = space.sample(60, np.random.default_rng(0))
    assert {config["layers"] for config in configs} == {"large", "none"}
    assert not any({"layers": "large", "augment": "strong"}.items() <= config.items() for config in configs)
    assert space.codec.decode(space.codec.encode(configs)) == configs
    assert space.default()["layers"] == "large"
    for config in configs:
        meant = space.meant(config)
        assert meant["layers"] == (None if config["layers"] == "none" else [128, 128])
        assert ("augment" in meant) == ("augment" in config)
    assert space.meant({"augment": "weak"}) == {"augment": {"flip": True}}


def test_what_a_workload_does_to_a_value_changes_no_other() -> None:
    space = build_space(DEFINITION)
    space.meant({"layers": "small"})["layers"].append(1)
    assert space.meant({"layers": "small"}) == {"layers": [64]}


def test_plain_choices_stand_for_themselves() -> None:
    space = build_space({"parameters": {"kind": {"type": "categorical", "choices": ["a", 2, True]}}})
    assert space.meanings == {}
    assert space.meant({"kind": 2}) == {"kind": 2}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({False: [1]}, "search_space.parameters.layers.choices: expected labels that are strings, got False"),
        ({1: [1]}, "search_space.parameters.layers.choices: expected labels that are strings, got 1"),
        (
            {},
            "search_space.parameters.layers.choices: expected a list of different values, not empty, or",
        ),
    ],
)
def test_labels_are_strings(choices: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        build_space({"parameters": {"layers": {"type": "categorical", "choices": choices}}})
    assert str(raised.value).startswith(message)


def test_a_default_is_a_label() -> None:
    layers = {**DEFINITION["parameters"]["layers"], "default": "huge"}
    with pytest.raises(ConfigurationError, match="expected one of 'small', 'large', 'none', got 'huge'"):
        build_space({"parameters": {"layers": layers}})
