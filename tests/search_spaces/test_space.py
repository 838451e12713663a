from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from search_spaces import ConfigurationError, SearchSpace, build_space
from tests.search_spaces.strategies import spaces

SPACE = build_space(
    {
        "parameters": {
            "lr": {
                "type": "float",
                "low": "1e-4",
                "high": 0.1,
                "log": True,
                "default": 0.01,
                "mutable": True,
            },
            "width": {"type": "int", "low": 16, "high": 128, "log": True},
            "optimizer": {"type": "categorical", "choices": ["adam", "sgd"]},
            "momentum": {"type": "float", "low": 0, "high": 0.99},
            "patience": {"type": "constant", "value": 3},
            "steps": {"type": "constant", "value": 9},
        },
        "conditions": [
            {"child": "momentum", "parent": "optimizer", "equals": "sgd"},
            {"child": "steps", "parent": "optimizer", "equals": "sgd"},
        ],
        "forbidden": [{"optimizer": "sgd", "width": [16, 17]}],
    }
)
GOOD = {"lr": 0.02, "width": 20, "optimizer": "adam", "patience": 3}


def draws(definition: dict[str, Any], n: int = 4000) -> np.ndarray:
    """Samples of a space of one parameter."""
    space = build_space({"parameters": {"x": definition}})
    return np.array([config["x"] for config in space.sample(n, np.random.default_rng(7))])


@given(spaces(), st.integers(0, 1000), st.integers(0, 10))
def test_equal_generators_give_equal_samples(space: SearchSpace, seed: int, n: int) -> None:
    first = space.sample(n, np.random.default_rng(seed))
    space.sample(3, np.random.default_rng(1))
    space.configuration_space.sample_configuration(2)
    assert space.sample(n, np.random.default_rng(seed)) == first
    assert len(first) == n


@given(spaces(), st.integers(0, 1000))
def test_samples_are_legal_in_both_forms(space: SearchSpace, seed: int) -> None:
    units = space.sample_units(10, np.random.default_rng(seed))
    assert space.codec.legal(units).all()
    configs = space.codec.decode(units)
    assert configs == space.sample(10, np.random.default_rng(seed))
    assert [space.check(config) for config in configs] == configs


def test_sampling_leaves_configspace_alone() -> None:
    before = SPACE.configuration_space.random.get_state()[1].copy()
    SPACE.sample(5, np.random.default_rng(0))
    np.testing.assert_array_equal(SPACE.configuration_space.random.get_state()[1], before)


def test_one_generator_gives_new_samples_each_time() -> None:
    rng = np.random.default_rng(0)
    assert SPACE.sample(3, rng) != SPACE.sample(3, rng)


@given(spaces())
def test_pickling_keeps_what_a_space_does(space: SearchSpace) -> None:
    copy = pickle.loads(pickle.dumps(space))
    assert copy.sample(5, np.random.default_rng(3)) == space.sample(5, np.random.default_rng(3))
    assert (copy.default(), copy.codec.columns) == (space.default(), space.codec.columns)


@given(spaces())
def test_the_default_is_a_legal_configuration(space: SearchSpace) -> None:
    default = space.default()
    assert space.check(default) == default
    assert space.codec.legal(space.codec.encode([default])).all()


def test_default_and_immutable_part() -> None:
    assert SPACE.default() == {"lr": 0.01, "width": 45, "optimizer": "adam", "patience": 3}
    assert SPACE.immutable_part(SPACE.default()) == {"width": 45, "optimizer": "adam", "patience": 3}


def test_check_gives_plain_values_and_adds_constants() -> None:
    config = {"optimizer": np.str_("sgd"), "width": np.int64(18), "lr": "2e-2", "momentum": np.float64(0)}
    checked = SPACE.check(config)
    assert checked == {
        "lr": 0.02,
        "width": 18,
        "optimizer": "sgd",
        "momentum": 0.0,
        "patience": 3,
        "steps": 9,
    }
    assert {type(value) for value in checked.values()} == {float, int, str}


@pytest.mark.parametrize(
    ("change", "key", "allowed"),
    [
        ({"widht": 20}, "initial.widht", "did you mean 'width'"),
        ({"width": None}, "initial.width", "an integer in [16, 128]"),
        ({"width": 15}, "initial.width", "an integer in [16, 128]"),
        ({"width": 20.5}, "initial.width", "an integer in [16, 128]"),
        ({"lr": float("nan")}, "initial.lr", "a number in [0.0001, 0.1]"),
        ({"lr": True}, "initial.lr", "a number in [0.0001, 0.1]"),
        ({"lr": [0.1]}, "initial.lr", "a number in [0.0001, 0.1]"),
        ({"optimizer": "adamw"}, "initial.optimizer", "did you mean 'adam'"),
        ({"patience": 4}, "initial.patience", "the constant 3"),
        ({"momentum": 0.5}, "initial.momentum", "momentum | optimizer == 'sgd'"),
        ({"steps": 9}, "initial.steps", "inactive"),
        ({"optimizer": "sgd", "width": 18}, "initial.momentum", "got nothing"),
        ({"optimizer": "sgd", "width": 17, "momentum": 0.5}, "initial:", "not forbidden"),
    ],
)
def test_check_refuses(change: dict[str, Any], key: str, allowed: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        SPACE.check(GOOD | change, "initial")
    assert str(raised.value).startswith(key)
    assert allowed in str(raised.value)
    assert "\n" not in str(raised.value)


def test_check_names_what_is_missing() -> None:
    with pytest.raises(ConfigurationError, match=r"^config\.lr: expected a number .* got nothing$"):
        SPACE.check({"width": 20, "optimizer": "adam"})


@pytest.mark.parametrize("name", ["lrr", "patience"])
def test_only_parameters_that_vary_are_mutable(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"mutable: .*{name}"):
        SearchSpace(SPACE.configuration_space, frozenset([name]))


def test_normal_prior() -> None:
    x = draws(
        {"type": "float", "low": 0, "high": 0.99, "prior": {"type": "normal", "mean": 0.6, "std": 0.05}}
    )
    assert x.mean() == pytest.approx(0.6, abs=0.005)
    assert x.std() == pytest.approx(0.05, rel=0.1)


def test_normal_prior_is_cut_off_at_the_bounds() -> None:
    x = draws({"type": "float", "low": 0, "high": 1, "prior": {"type": "normal", "mean": 1, "std": 0.5}})
    assert x.min() >= 0 and x.max() <= 1
    assert stats.kstest(x, stats.truncnorm(-2, 0, loc=1, scale=0.5).cdf).pvalue > 0.01


@pytest.mark.parametrize("kind", ["float", "int"])
def test_normal_prior_of_a_log_parameter(kind: str) -> None:
    prior = {"type": "normal", "mean": 1000, "std": 0.5}
    x = draws({"type": kind, "low": 10, "high": 100_000, "log": True, "prior": prior})
    assert np.log(x).mean() == pytest.approx(np.log(1000), abs=0.04)
    assert np.log(x).std() == pytest.approx(0.5, rel=0.1)


def test_beta_prior() -> None:
    x = draws({"type": "float", "low": 2, "high": 4, "prior": {"type": "beta", "alpha": 2, "beta": 5}})
    assert stats.kstest((x - 2) / 2, stats.beta(2, 5).cdf).pvalue > 0.01


def test_integer_priors() -> None:
    x = draws({"type": "int", "low": 0, "high": 100, "prior": {"type": "normal", "mean": 40, "std": 5}})
    assert x.mean() == pytest.approx(40, abs=0.5)
    assert x.std() == pytest.approx(5, rel=0.1)


def test_without_a_prior_draws_are_uniform_on_the_scale() -> None:
    x = draws({"type": "float", "low": 1e-4, "high": 1e-1, "log": True})
    assert stats.kstest(np.log10(x), stats.uniform(-4, 3).cdf).pvalue > 0.01
    k = draws({"type": "int", "low": 1, "high": 4})
    assert stats.chisquare(np.bincount(k.astype(int))[1:]).pvalue > 0.01
    k = draws({"type": "int", "low": 16, "high": 128, "log": True})
    assert np.median(k) == pytest.approx(np.sqrt(16 * 128), rel=0.06)


def test_weights() -> None:
    x = draws({"type": "categorical", "choices": ["a", "b", "c"], "weights": [7, 2, 1]})
    counts = [int((x == choice).sum()) for choice in "abc"]
    assert stats.chisquare(counts, np.array([0.7, 0.2, 0.1]) * len(x)).pvalue > 0.01


def test_conditions_are_sampled_by_their_parents_weights() -> None:
    present = sum("momentum" in config for config in SPACE.sample(2000, np.random.default_rng(0)))
    assert present / 2000 == pytest.approx(0.5, abs=0.05)
