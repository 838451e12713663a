from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from search_spaces import ConfigurationError, build_space

GOOD: dict[str, Any] = {
    "parameters": {
        "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True, "default": 0.01, "mutable": True},
        "width": {"type": "int", "low": 16, "high": 128},
        "optimizer": {"type": "categorical", "choices": ["adam", "sgd"], "weights": [0.7, 0.3]},
        "depth": {"type": "ordinal", "values": [1, 2, 4]},
        "momentum": {
            "type": "float",
            "low": 0,
            "high": 1,
            "prior": {"type": "normal", "mean": 0.9, "std": 0.1},
        },
        "patience": {"type": "constant", "value": 3},
    },
    "conditions": [{"child": "momentum", "parent": "optimizer", "equals": "sgd"}],
    "forbidden": [{"optimizer": "sgd", "depth": [2, 4]}],
}

BAD_PARAMETERS = [
    # (parameter, key, value, key in the message, what is found, what is allowed)
    ("lr", "type", "flaot", ".type", "'flaot'", "did you mean 'float'"),
    ("lr", "type", ..., ".type", "nothing", "'float', 'int', 'categorical', 'ordinal', 'constant'"),
    ("lr", "type", 3, ".type", "3", "'float'"),
    ("lr", "lwo", 1, ".lwo", "1", "did you mean 'low'"),
    ("lr", "choices", [1], ".choices", "[1]", "no such key"),
    ("lr", "low", ..., ".low", "nothing", "a finite number"),
    ("lr", "high", None, ".high", "nothing", "a finite number"),
    ("lr", "low", "small", ".low", "'small'", "a finite number"),
    ("lr", "low", True, ".low", "True", "a finite number"),
    ("lr", "low", float("nan"), ".low", "nan", "a finite number"),
    ("lr", "high", float("inf"), ".high", "inf", "a finite number"),
    ("lr", "low", [0.1], ".low", "[0.1]", "a finite number"),
    ("lr", "low", 0.1, ".low", "0.1", "less than high (0.1)"),
    ("lr", "low", 0.2, ".low", "0.2", "less than high (0.1)"),
    ("lr", "low", 0, ".low", "0", "since log is true"),
    ("lr", "low", -1, ".low", "-1", "since log is true"),
    ("lr", "low", 1e-15, ".low", "1e-15", "1e-13"),
    ("lr", "log", "yes", ".log", "'yes'", "true or false"),
    ("lr", "low", 1.5e-13, ".low", "1.5e-13", "ConfigSpace would make it 1e-13"),
    ("momentum", "low", 1e-15, ".low", "1e-15", "ConfigSpace would make it 0"),
    ("momentum", "high", 1.26e-12, ".high", "1.26e-12", "smaller unit"),
    ("momentum", "default", 1e-14, ".default", "1e-14", "ConfigSpace would make it 0"),
    ("momentum", "prior", {"type": "normal", "mean": 1e-14, "std": 1}, ".prior.mean", "1e-14", "make it 0"),
    ("lr", "default", 1.0, ".default", "1.0", "a number in [0.0001, 0.1]"),
    ("lr", "default", "mid", ".default", "'mid'", "a number in [0.0001, 0.1]"),
    ("lr", "mutable", 1, ".mutable", "1", "true or false"),
    ("width", "low", 16.5, ".low", "16.5", "an integer"),
    ("lr", "high", 1e200, ".high", "1e+200", "between -1e+100 and 1e+100"),
    ("width", "high", 2**41, ".high", str(2**41), "between"),
    ("width", "default", 16.5, ".default", "16.5", "an integer in [16, 128]"),
    ("width", "default", 129, ".default", "129", "an integer in [16, 128]"),
    ("optimizer", "choices", [], ".choices", "[]", "not empty"),
    ("optimizer", "choices", "adam", ".choices", "'adam'", "a list"),
    ("optimizer", "choices", ..., ".choices", "nothing", "a list"),
    ("optimizer", "choices", ["adam", "sgd", "adam"], ".choices[2]", "'adam'", "not in the list already"),
    ("optimizer", "choices", [1, True], ".choices[1]", "True", "not in the list already"),
    ("optimizer", "choices", [0.1, "0.1", "auto"], ".choices[1]", "'0.1'", "tell the two apart"),
    ("optimizer", "choices", [True, "True"], ".choices[1]", "'True'", "tell the two apart"),
    ("depth", "values", ["2", 2], ".values[1]", "2", "tell the two apart"),
    ("optimizer", "choices", ["adam", None], ".choices[1]", "None", "in quotes"),
    ("optimizer", "choices", ["adam", [1]], ".choices[1]", "[1]", "a string"),
    ("optimizer", "weights", [1], ".weights", "[1]", "2 numbers"),
    ("optimizer", "weights", [1, -1], ".weights", "[1, -1]", "not negative"),
    ("optimizer", "weights", [0, 0], ".weights", "[0, 0]", "not all 0"),
    ("optimizer", "weights", [1, "a"], ".weights[1]", "'a'", "a finite number"),
    ("optimizer", "weights", 0.5, ".weights", "0.5", "2 numbers"),
    ("optimizer", "default", "adamw", ".default", "'adamw'", "did you mean 'adam'"),
    ("optimizer", "low", 1, ".low", "1", "no such key"),
    ("depth", "values", [], ".values", "[]", "not empty"),
    ("depth", "values", [1, 1], ".values[1]", "1", "not in the list already"),
    ("depth", "default", 3, ".default", "3", "one of 1, 2, 4"),
    ("momentum", "prior", "normal", ".prior", "'normal'", "a mapping"),
    ("momentum", "prior", {"type": "cauchy"}, ".prior.type", "'cauchy'", "'normal', 'beta'"),
    ("momentum", "prior", {"type": "normal", "mean": 0.5}, ".prior.std", "nothing", "a finite number"),
    ("momentum", "prior", {"type": "normal", "mean": 2, "std": 1}, ".prior.mean", "2.0", "in [0.0, 1.0]"),
    ("momentum", "prior", {"type": "normal", "mean": 1, "std": 0}, ".prior.std", "0.0", "greater than 0"),
    ("momentum", "prior", {"type": "normal", "alpha": 1}, ".prior.alpha", "1", "no such key"),
    ("momentum", "prior", {"type": "beta", "alpha": 0.5, "beta": 1}, ".prior.alpha", "0.5", "at least 1"),
    ("patience", "mutable", True, ".mutable", "True", "never changes"),
    ("patience", "value", ..., ".value", "nothing", "a string"),
    ("patience", "value", [3], ".value", "[3]", "a string"),
    ("patience", "low", 3, ".low", "3", "no such key"),
]


def message(definition: Any) -> str:
    """The one line with which ``definition`` is refused."""
    with pytest.raises(ConfigurationError) as raised:
        build_space(definition, "space")
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(("name", "key", "value", "where", "found", "allowed"), BAD_PARAMETERS)
def test_bad_parameters(name: str, key: str, value: Any, where: str, found: str, allowed: str) -> None:
    definition = copy.deepcopy(GOOD)
    if value is ...:
        del definition["parameters"][name][key]
    else:
        definition["parameters"][name][key] = value
    line = message(definition)
    assert line.startswith(f"space.parameters.{name}{where}: expected ")
    assert f"got {found}" in line
    assert allowed in line


@pytest.mark.parametrize(
    ("change", "where", "allowed"),
    [
        ({"parameters": {}}, "space.parameters", "at least one parameter"),
        ({"parameters": None}, "space.parameters", "at least one parameter"),
        ({"parameters": [1]}, "space.parameters", "a mapping"),
        ({"parameters": {3: {"type": "constant", "value": 1}}}, "space.parameters", "strings"),
        ({"parameters": {"lr": 0.1}}, "space.parameters.lr", "a mapping"),
        ({"paramters": {}}, "space.paramters", "did you mean 'parameters'"),
        ({"conditions": {"child": "lr"}}, "space.conditions", "a list"),
        ({"conditions": "none"}, "space.conditions", "a list"),
        ({"forbidden": {"lr": 1}}, "space.forbidden", "a list"),
        ({"forbidden": [{}]}, "space.forbidden[0]", "a mapping"),
        ({"forbidden": [["lr"]]}, "space.forbidden[0]", "a mapping"),
        ({"forbidden": [{"optimzer": "sgd"}]}, "space.forbidden[0].optimzer", "did you mean 'optimizer'"),
        ({"forbidden": [{"optimizer": "lion"}]}, "space.forbidden[0].optimizer", "one of 'adam', 'sgd'"),
        ({"forbidden": [{"depth": [2, 3]}]}, "space.forbidden[0].depth[1]", "one of 1, 2, 4"),
        ({"forbidden": [{"depth": []}]}, "space.forbidden[0].depth", "not empty"),
        ({"forbidden": [{"lr": 1}]}, "space.forbidden[0].lr", "a number in [0.0001, 0.1]"),
        ({"forbidden": [{"depth": 4}, {"optimizer": "adam"}]}, "space.forbidden[1]", "another default"),
    ],
)
def test_bad_definitions(change: dict[str, Any], where: str, allowed: str) -> None:
    line = message(GOOD | change)
    assert line.startswith(f"{where}: expected ")
    assert allowed in line


@pytest.mark.parametrize(
    ("conditions", "where", "allowed"),
    [
        ([{"parent": "optimizer", "equals": "sgd"}], "[0].child", "got nothing"),
        ([{"child": "depth", "equals": "sgd"}], "[0].parent", "got nothing"),
        ([{"child": "dept", "parent": "optimizer", "equals": "sgd"}], "[0].child", "did you mean 'depth'"),
        (
            [{"child": "depth", "parent": ["optimizer"], "equals": "sgd"}],
            "[0].parent",
            "one of the parameters",
        ),
        ([{"child": "depth", "parent": "optimizer"}], "[0]", "exactly one of 'equals'"),
        ([{"child": "depth", "parent": "width", "less": 20, "greater": 18}], "[0]", "exactly one of"),
        ([{"child": "depth", "parent": "optimizer", "equal": "sgd"}], "[0].equal", "did you mean 'equals'"),
        ([{"child": "depth", "parent": "optimizer", "equals": "lion"}], "[0].equals", "one of 'adam', 'sgd'"),
        ([{"child": "depth", "parent": "optimizer", "in": ["sgd", 1]}], "[0].in[1]", "one of 'adam', 'sgd'"),
        ([{"child": "depth", "parent": "optimizer", "in": "sgd"}], "[0].in", "a list"),
        ([{"child": "depth", "parent": "optimizer", "greater": "sgd"}], "[0].greater", "use equals"),
        ([{"child": "depth", "parent": "width", "greater": 500}], "[0].greater", "an integer in [16, 128]"),
        ([{"child": "depth", "parent": "depth", "equals": 1}], "[0].parent", "another parameter"),
        ([{"child": "depth", "parent": "lr", "greater": 0.01}], "[0].child", "its parent 'lr' is mutable"),
        (
            [
                {"child": "depth", "parent": "width", "greater": 20},
                {"child": "optimizer", "parent": "depth", "equals": 1},
                {"child": "width", "parent": "optimizer", "equals": "sgd"},
            ],
            "",
            "without a cycle",
        ),
        (["depth"], "[0]", "a mapping"),
    ],
)
def test_bad_conditions(conditions: list[Any], where: str, allowed: str) -> None:
    line = message({"parameters": GOOD["parameters"], "conditions": conditions})
    assert line.startswith(f"space.conditions{where}: expected ")
    assert allowed in line


@pytest.mark.parametrize("definition", [None, {}, [], "digits", 3])
def test_a_definition_is_a_mapping(definition: Any) -> None:
    assert message(definition).startswith("space: expected a mapping with the key 'parameters'")


def test_clauses_that_forbid_all_that_can_be_drawn_are_refused() -> None:
    choice = {"type": "categorical", "choices": ["a", "b"], "weights": [0, 1], "default": "a"}
    line = message({"parameters": {"c": choice}, "forbidden": [{"c": "b"}]})
    assert line.startswith("space.forbidden: expected clauses that leave a part of the space")


def test_numbers_may_be_written_as_yaml_reads_them() -> None:
    definition = yaml.safe_load(
        """
        parameters:
          lr: {type: float, low: 1e-4, high: 1e-1, log: true, default: 1e-2}
          steps: {type: int, low: 1e0, high: 1e3, default: 10.0}
        """
    )
    assert isinstance(definition["parameters"]["lr"]["low"], str)
    default = build_space(definition).default()
    assert default == {"lr": 0.01, "steps": 10}
    assert type(default["steps"]) is int


def test_a_bound_may_be_the_default() -> None:
    # Six decimals of a number this large do not survive ConfigSpace's rounding to thirteen.
    for high in np.round(1e6 + np.arange(1, 200) / 7, 6).tolist():
        space = build_space({"parameters": {"x": {"type": "float", "low": 0, "high": high, "default": high}}})
        assert space.default()["x"] == pytest.approx(high, rel=1e-15)
        assert space.check({"x": high})["x"] == pytest.approx(high, rel=1e-15)
        assert space.codec.legal(space.codec.encode([space.check({"x": high})])).all()


def test_defaults_are_the_middle_the_first_or_the_likeliest() -> None:
    space = build_space(
        {
            "parameters": {
                "a": {"type": "float", "low": 0, "high": 4},
                "b": {"type": "float", "low": 0.01, "high": 1, "log": True},
                "c": {"type": "categorical", "choices": ["x", "y"]},
                "d": {"type": "categorical", "choices": ["x", "y"], "weights": [1, 2]},
                "e": {"type": "ordinal", "values": [4, 2]},
                "f": {
                    "type": "float",
                    "low": 0,
                    "high": 1,
                    "prior": {"type": "normal", "mean": 0.7, "std": 1},
                },
                "g": {"type": "int", "low": 0, "high": 10, "prior": {"type": "beta", "alpha": 2, "beta": 2}},
            }
        }
    )
    assert space.default() == {"a": 2.0, "b": 0.1, "c": "x", "d": "y", "e": 4, "f": 0.7, "g": 5}


def test_several_conditions_on_one_child_must_all_hold() -> None:
    space = build_space(
        {
            "parameters": GOOD["parameters"],
            "conditions": [
                {"child": "momentum", "parent": "optimizer", "equals": "sgd"},
                {"child": "momentum", "parent": "width", "not_equals": 16},
                {"child": "momentum", "parent": "depth", "greater": 1},
                {"child": "momentum", "parent": "depth", "greater": 1},
            ],
        }
    )
    fixed = {"lr": 0.01, "patience": 3}
    for optimizer, width, depth in [("sgd", 16, 4), ("adam", 17, 4), ("sgd", 17, 1)]:
        space.check(fixed | {"optimizer": optimizer, "width": width, "depth": depth})
    space.check(fixed | {"optimizer": "sgd", "width": 17, "depth": 2, "momentum": 0.5})


def test_ordinals_compare_by_their_place() -> None:
    space = build_space(
        {
            "parameters": {
                "size": {"type": "ordinal", "values": ["small", "large", "huge"]},
                "x": {"type": "float", "low": 0, "high": 1},
            },
            "conditions": [{"child": "x", "parent": "size", "less": "huge"}],
        }
    )
    configs = space.sample(100, np.random.default_rng(0))
    assert {config["size"] for config in configs if "x" in config} == {"small", "large"}
    assert {config["size"] for config in configs if "x" not in config} == {"huge"}


@pytest.mark.parametrize(
    ("name", "mutable"),
    [
        ("digits", {"learning_rate", "weight_decay", "label_smoothing", "dropout"}),
        ("pbt_toy", {"h0", "h1"}),
    ],
)
def test_spaces_that_ship_with_the_project(name: str, mutable: set[str]) -> None:
    file = Path(__file__).parents[2] / "conf" / "search_space" / f"{name}.yaml"
    space = build_space(yaml.safe_load(file.read_text()))
    assert space.mutable == mutable
    assert len(space.sample(16, np.random.default_rng(0))) == 16
