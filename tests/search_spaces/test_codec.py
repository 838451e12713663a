from __future__ import annotations

import math

import numpy as np
import pytest
from ConfigSpace import Configuration as ConfigSpaceConfiguration
from ConfigSpace import (
    ConfigurationSpace,
    EqualsCondition,
    ForbiddenLessThanRelation,
    NotEqualsCondition,
    OrConjunction,
)
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import SearchSpace, build_space
from search_spaces.codec import Codec
from tests.search_spaces.strategies import samples, spaces

NESTED = {
    "parameters": {
        "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
        "momentum": {"type": "float", "low": 0.0, "high": 1.0},
        "nesterov": {"type": "categorical", "choices": [True, False]},
        "damping": {"type": "float", "low": 0.0, "high": 1.0},
        "warmup": {"type": "int", "low": 1, "high": 4},
        "patience": {"type": "constant", "value": 3},
    },
    "conditions": [
        {"child": "momentum", "parent": "optimizer", "equals": "sgd"},
        {"child": "nesterov", "parent": "momentum", "greater": 0.5},
        {"child": "damping", "parent": "nesterov", "not_equals": True},
        {"child": "damping", "parent": "warmup", "in": [1, 2]},
        {"child": "patience", "parent": "nesterov", "equals": True},
    ],
}


def close(space: SearchSpace, one: object, other: object) -> bool:
    """Equal, floats to 1e-12 of their value or of their range."""
    assert isinstance(one, dict) and isinstance(other, dict)
    columns = {column.name: column for column in space.codec.columns}
    for name, value in one.items():
        column = columns.get(name)
        if column is None or column.kind != "float":
            if value != other[name] or type(value) is not type(other[name]):
                return False
        else:
            scale = 0.0 if column.log else max(abs(column.low), abs(column.high))
            if not math.isclose(value, other[name], rel_tol=1e-12, abs_tol=1e-12 * scale):
                return False
    return one.keys() == other.keys()


@given(samples())
def test_configurations_survive_the_round_trip(sample: tuple[SearchSpace, np.ndarray]) -> None:
    space, units = sample
    configs = space.codec.decode(units)
    back = space.codec.decode(space.codec.encode(configs))
    assert all(close(space, one, other) for one, other in zip(configs, back, strict=True))


@given(samples())
def test_units_survive_the_round_trip(sample: tuple[SearchSpace, np.ndarray]) -> None:
    space, units = sample
    back = space.codec.encode(space.codec.decode(units))
    assert back.shape == units.shape
    for column, before, after in zip(space.codec.columns, units.T, back.T, strict=True):
        if column.kind == "float":
            # A narrow range far from zero holds few floats.
            spacing = np.spacing(max(abs(column.low), abs(column.high))) / (column.high - column.low)
            known = ~np.isnan(after)
            np.testing.assert_allclose(after[known], before[known], rtol=0, atol=1e-13 + 4 * spacing)


@given(samples())
def test_decoded_values_are_plain_and_in_range(sample: tuple[SearchSpace, np.ndarray]) -> None:
    space, units = sample
    legal = space.codec.legal(units)
    for config, allowed in zip(space.codec.decode(units), legal, strict=True):
        assert {type(value) for value in config.values()} <= {bool, int, float, str}
        if allowed:
            assert space.check(config) == config


@given(samples())
def test_configspace_accepts_what_is_legal(sample: tuple[SearchSpace, np.ndarray]) -> None:
    space, units = sample
    for config, legal in zip(space.codec.decode(units), space.codec.legal(units), strict=True):
        if legal:
            ConfigSpaceConfiguration(
                space.configuration_space, values=dict(config)
            ).check_valid_configuration()


@given(spaces(), st.integers(0, 1000))
def test_nan_means_absent(space: SearchSpace, seed: int) -> None:
    configs = space.sample(8, np.random.default_rng(seed))
    units = space.codec.encode(configs)
    inside = units[~np.isnan(units)]
    assert np.all((inside >= 0) & (inside <= 1))
    for config, row in zip(configs, units, strict=True):
        for column, unit in zip(space.codec.columns, row, strict=True):
            assert (column.name in config) == (not math.isnan(unit))
    np.testing.assert_array_equal(space.codec.active(units), ~np.isnan(units))


@given(samples(), st.integers(0, 1000))
def test_repair_makes_any_units_decodable(sample: tuple[SearchSpace, np.ndarray], seed: int) -> None:
    space, units = sample
    rng = np.random.default_rng(seed)
    holes = np.where(rng.random(units.shape) < 0.5, np.nan, units)
    repaired = space.codec.repair(holes, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.isnan(repaired), ~space.codec.active(repaired))
    kept = ~np.isnan(holes) & ~np.isnan(repaired)
    np.testing.assert_array_equal(repaired[kept], holes[kept])
    np.testing.assert_array_equal(repaired, space.codec.repair(holes, np.random.default_rng(seed)))
    assert len(space.codec.decode(repaired)) == len(units)


@pytest.mark.parametrize("log", [False, True])
def test_every_integer_has_its_place(log: bool) -> None:
    space = build_space({"parameters": {"k": {"type": "int", "low": 3, "high": 1003, "log": log}}})
    configs = [{"k": k} for k in range(3, 1004)]
    units = space.codec.encode(configs)
    assert np.all(np.diff(units[:, 0]) > 0)
    assert space.codec.decode(units) == configs
    assert space.codec.decode([[0.0], [1.0]]) == [{"k": 3}, {"k": 1003}]


def test_integers_share_the_interval_equally() -> None:
    space = build_space({"parameters": {"k": {"type": "int", "low": -1, "high": 2}}})
    configs = space.codec.decode([[0.0], [0.249], [0.251], [0.499], [0.501], [0.749], [0.751], [1.0]])
    assert [config["k"] for config in configs] == [-1, -1, 0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(space.codec.encode([{"k": 0}]), [[0.375]])


@pytest.mark.parametrize(("low", "high"), [(1, 2**40), (1, 2)])
def test_large_and_small_log_integers_are_exact(low: int, high: int) -> None:
    space = build_space({"parameters": {"k": {"type": "int", "low": low, "high": high, "log": True}}})
    configs = [{"k": k} for k in sorted({low, low + 1, (low + high) // 2, high - 1, high})]
    assert space.codec.decode(space.codec.encode(configs)) == configs


def test_floats_map_affinely_or_in_their_logarithm() -> None:
    space = build_space(
        {
            "parameters": {
                "a": {"type": "float", "low": -2, "high": 6},
                "b": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
            }
        }
    )
    configs = space.codec.decode([[0.0, 0.0], [0.25, 0.25], [1.0, 1.0]])
    assert [config["a"] for config in configs] == [-2.0, 0.0, 6.0]
    assert [config["b"] for config in configs] == pytest.approx([1e-4, 1e-3, 1.0], rel=1e-14)


def test_choices_share_the_interval_equally() -> None:
    space = build_space(
        {
            "parameters": {
                "c": {"type": "categorical", "choices": [False, 5, "x"], "weights": [0.8, 0.1, 0.1]},
                "o": {"type": "ordinal", "values": ["s", "m", "l"]},
            }
        }
    )
    configs = space.codec.decode([[0.0, 0.33], [0.34, 0.66], [1.0, 0.67]])
    assert configs == [{"c": False, "o": "s"}, {"c": 5, "o": "m"}, {"c": "x", "o": "l"}]
    np.testing.assert_allclose(space.codec.encode(configs), [[1 / 6] * 2, [0.5] * 2, [5 / 6] * 2])


def test_columns_describe_the_parameters() -> None:
    space = build_space(
        {
            "parameters": {
                "a": {"type": "float", "low": 1e-3, "high": 1, "log": True, "mutable": True},
                "b": {"type": "int", "low": 2, "high": 9},
                "c": {"type": "constant", "value": 1},
                "d": {"type": "ordinal", "values": [1, 4]},
            }
        }
    )
    described = [(c.name, c.kind, c.low, c.high, c.log, c.size, c.mutable) for c in space.codec.columns]
    assert described == [
        ("a", "float", 1e-3, 1.0, True, 0, True),
        ("b", "int", 2, 9, False, 0, False),
        ("d", "ordinal", 0, 1, False, 2, False),
    ]
    assert space.codec.dim == 3
    assert space.names == ("a", "b", "c", "d")


def test_nested_conditions_follow_their_parents() -> None:
    space = build_space(NESTED)
    for config in space.sample(300, np.random.default_rng(0)):
        momentum = config["optimizer"] == "sgd"
        nesterov = momentum and float(config["momentum"]) > 0.5
        damping = nesterov and config["nesterov"] is False and int(config["warmup"]) <= 2
        patience = nesterov and config["nesterov"] is True
        expected = {"momentum": momentum, "nesterov": nesterov, "damping": damping, "patience": patience}
        assert {name: name in config for name in expected} == expected


def test_what_stands_in_inactive_entries_is_ignored() -> None:
    codec = build_space(NESTED).codec
    names = [column.name for column in codec.columns]
    units = np.full((3, codec.dim), 0.4)
    units[:, names.index("optimizer")] = 0.9
    units[1, names.index("momentum")] = np.nan
    units[2, names.index("nesterov")] = 17.0
    assert codec.decode(units) == [{"optimizer": "adam", "warmup": 2}] * 3
    assert np.isnan(codec.encode(codec.decode(units))).sum() == 9


def test_missing_parents_leave_their_children_inactive() -> None:
    codec = build_space(NESTED).codec
    units = codec.encode([{"momentum": 0.7, "warmup": 1}])
    present = {
        column.name for column, unit in zip(codec.columns, units[0], strict=True) if not math.isnan(unit)
    }
    assert present == {"warmup"}


def test_forbidden_clauses() -> None:
    space = build_space(
        {
            "parameters": {
                "a": {"type": "categorical", "choices": ["x", "y"]},
                "b": {"type": "int", "low": 0, "high": 3, "default": 0},
                "c": {"type": "ordinal", "values": [1, 2]},
            },
            "conditions": [{"child": "c", "parent": "a", "equals": "y"}],
            "forbidden": [{"a": "x", "b": [1, 2]}, {"c": 2}],
        }
    )
    configs = [
        {"a": "x", "b": 0},
        {"a": "x", "b": 1},
        {"a": "x", "b": 2},
        {"a": "y", "b": 1, "c": 1},
        {"a": "y", "b": 1, "c": 2},
    ]
    assert space.codec.legal(space.codec.encode(configs)).tolist() == [True, False, False, True, False]


def test_spaces_made_with_configspace_itself() -> None:
    space = ConfigurationSpace(
        {"a": ["x", "y", "z"], "b": [1, 2], "c": (0.0, 1.0), "d": (0.0, 1.0), "e": (0, 1)}
    )
    space.add(EqualsCondition(space["b"], space["a"], "x"))
    space.add(
        OrConjunction(
            EqualsCondition(space["c"], space["a"], "y"), EqualsCondition(space["c"], space["b"], 2)
        )
    )
    space.add(NotEqualsCondition(space["e"], space["b"], 2))
    space.add(ForbiddenLessThanRelation(space["c"], space["d"]))
    for config in SearchSpace(space).sample(200, np.random.default_rng(0)):
        assert ("c" in config) == (config["a"] == "y" or config.get("b") == 2)
        assert ("e" in config) == (config.get("b") == 1)
        assert float(config.get("c", 1.0)) >= float(config["d"])


@pytest.mark.parametrize("bad", [math.nan, -1e-9, 1.0 + 1e-9, math.inf])
def test_nothing_is_clipped_silently(bad: float) -> None:
    codec = build_space({"parameters": {"lr": {"type": "float", "low": 0, "high": 1}}}).codec
    with pytest.raises(ValueError, match=r"'lr' in row 1"):
        codec.decode([[0.5], [bad]])


@pytest.mark.parametrize("shape", [(1,), (1, 2), (2, 1, 1)])
def test_units_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    codec = build_space({"parameters": {"lr": {"type": "float", "low": 0, "high": 1}}}).codec
    for method in (codec.decode, codec.legal, codec.active):
        with pytest.raises(ValueError, match=r"shape \(n, 1\)"):
            method(np.zeros(shape))


@pytest.mark.parametrize("config", [{"a": 1.5}, {"a": -1}, {"k": 2.5}, {"k": 9}, {"c": "z"}])
def test_values_that_cannot_be_encoded_are_refused(config: dict[str, float | str]) -> None:
    codec = build_space(
        {
            "parameters": {
                "a": {"type": "float", "low": 0, "high": 1},
                "k": {"type": "int", "low": 0, "high": 3},
                "c": {"type": "categorical", "choices": ["x", "y"]},
            }
        }
    ).codec
    with pytest.raises(ValueError, match=f"{next(iter(config))!r} can take"):
        codec.encode([config])


def test_a_space_of_constants_has_no_columns() -> None:
    space = build_space({"parameters": {"k": {"type": "constant", "value": True}}})
    assert space.codec.dim == 0
    assert space.sample(2, np.random.default_rng(0)) == [{"k": True}] * 2
    assert isinstance(space.codec, Codec)


def test_log_priors_are_relative_to_the_uniform_density() -> None:
    space = build_space(
        {
            "parameters": {
                "a": {
                    "type": "float",
                    "low": 0.0,
                    "high": 1.0,
                    "prior": {"type": "normal"} | {"mean": 0.4, "std": 0.1},
                },
                "b": {"type": "categorical", "choices": ["x", "y", "z"], "weights": [2, 1, 0]},
                "c": {"type": "int", "low": 1, "high": 8, "log": True},
                "d": {"type": "ordinal", "values": [1, 2]},
            }
        }
    )
    units = space.codec.encode(
        [{"a": a, "b": b, "c": 3, "d": 2} for a, b in ((0.4, "x"), (0.5, "y"), (0.3, "z"))]
    )
    logs = space.codec.log_priors(units)
    np.testing.assert_allclose(logs[:, 0] - logs[0, 0], [0.0, -0.5, -0.5], atol=1e-9)
    np.testing.assert_allclose(logs[:, 1], [np.log(2), 0.0, -np.inf])
    np.testing.assert_allclose(logs[:, 2:], 0.0, atol=1e-9)
    assert np.isnan(space.codec.log_priors([[np.nan, 0.1, 0.1, 0.1]])[0, 0])
