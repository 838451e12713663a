from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from orchestrator.population.rules.contract import Evaluations, Floats
from orchestrator.population.rules.explore import Boundary, ExploreRule, NoExplore, Perturb, Resample, explore
from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from tests.orchestrator.population.contract import explore_contract, forgotten

TestPerturb = explore_contract(Perturb())
TestPerturbReflected = explore_contract(Perturb((0.1, 3, 20), 0.0, boundary="reflect"))
TestPerturbAll = explore_contract(Perturb(members="all"))
TestResample = explore_contract(Resample())
TestResampleSome = explore_contract(Resample(0.3, members="all"))
TestNoExplore = explore_contract(NoExplore())


def test_no_rule_is_forgotten() -> None:
    assert forgotten("population/explore", globals().values()) == []


def space_of(**parameters: dict[str, Any]) -> SearchSpace:
    return build_space({"parameters": {name: {"mutable": True, **p} for name, p in parameters.items()}})


def explored(
    rule: ExploreRule, space: SearchSpace, configs: Sequence[Config], parents: Sequence[int], seed: int = 0
) -> list[Config]:
    units = space.codec.encode(configs)
    past = Evaluations(np.zeros((len(units), 1, 1)), units[:, None], np.ones((len(units), 1)))
    result = explore(rule, units, np.array(parents), past, space, np.random.default_rng(seed))
    return space.codec.decode(result)


def outcomes(rule: ExploreRule, parameter: dict[str, Any], value: Any, n: int = 300) -> list[Any]:
    """The distinct values, sorted, that one hyperparameter goes on with, over ``n`` members that copied."""
    parents = [1] + [0] * (n - 1)
    configs = explored(rule, space_of(x=parameter), [{"x": value}] * n, parents)
    return sorted({config["x"] for config in configs})


FLOAT = {"type": "float", "low": 0.0, "high": 1.0}
LOG = {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}
INT = {"type": "int", "low": 1, "high": 100}
LOG_INT = {**INT, "log": True}
ORDINAL = {"type": "ordinal", "values": [8, 16, 32, 64]}
CATEGORICAL = {"type": "categorical", "choices": ["a", "b", "c"]}
DISCOUNT = {"type": "float", "low": 0.9, "high": 0.9999}
NARROW_LOG = [0.11 * 1.2**-0.2, 0.11 * 1.2**0.2]
STEP = Perturb(resample_probability=0.0)
BOUNCE = Perturb(resample_probability=0.0, boundary="reflect")


class TestPerturbRule:
    @pytest.mark.parametrize(
        ("parameter", "value", "expected"),
        [
            pytest.param(FLOAT, 0.5, [0.4, 0.6], id="float"),
            pytest.param(FLOAT, 0.9, [0.72, 1.0], id="float at its bound"),
            pytest.param(FLOAT, 0.0, [0.0, 0.2], id="float zero moves by a share of its range"),
            pytest.param(DISCOUNT, 0.981, [1 - 0.019 * 1.2, 1 - 0.019 * 0.8], id="discount"),
            pytest.param(DISCOUNT, 0.9999, [1 - 0.0001 * 1.2, 0.9999], id="discount at its bound"),
            pytest.param({**DISCOUNT, "high": 1.0}, 1.0, [0.98, 1.0], id="discount of one"),
            pytest.param({**FLOAT, "low": 290, "high": 310}, 300, [296, 304], id="narrow float"),
            pytest.param(
                {**FLOAT, "low": -310, "high": -290}, -300, [-304, -296], id="narrow negative float"
            ),
            pytest.param({**LOG, "low": 0.1, "high": 0.12}, 0.11, NARROW_LOG, id="narrow log float"),
            pytest.param({**INT, "low": 100, "high": 110}, 105, [103, 107], id="narrow int"),
            pytest.param({**INT, "low": 3, "high": 4}, 3, [3, 4], id="int of two values"),
            pytest.param({**FLOAT, "low": -1.0}, -0.5, [-0.6, -0.4], id="negative float"),
            pytest.param(LOG, 1e-2, [0.8e-2, 1.2e-2], id="log float"),
            pytest.param(LOG, 1e-1, [0.8e-1, 1e-1], id="log float at its bound"),
            pytest.param(INT, 50, [40, 60], id="int"),
            pytest.param(INT, 2, [1, 3], id="small int moves by one"),
            pytest.param(INT, 1, [1, 2], id="int at its bound"),
            pytest.param({**INT, "low": -5}, 0, [-1, 1], id="int zero moves"),
            pytest.param({**INT, "low": -100}, -50, [-60, -40], id="negative int"),
            pytest.param(LOG_INT, 50, [40, 60], id="log int"),
            pytest.param(LOG_INT, 1, [1, 2], id="log int at its bound"),
            pytest.param(ORDINAL, 16, [8, 32], id="ordinal"),
            pytest.param(ORDINAL, 64, [32, 64], id="ordinal at its end"),
            pytest.param(CATEGORICAL, "a", ["a"], id="categorical"),
        ],
    )
    def test_one_step_clipped(self, parameter: dict[str, Any], value: Any, expected: list[Any]) -> None:
        found = outcomes(STEP, parameter, value)
        assert found == (expected if isinstance(value, str) else pytest.approx(expected))

    @pytest.mark.parametrize(
        ("parameter", "value", "expected"),
        [
            pytest.param(FLOAT, 0.9, [0.72, 0.92], id="float"),
            pytest.param({**FLOAT, "low": 0.5}, 0.5, [0.6], id="float from below"),
            pytest.param(LOG, 1e-1, [0.8e-1, 1e-1 / 1.2], id="log float in log space"),
            pytest.param(INT, 90, [72, 92], id="int"),
            pytest.param(INT, 1, [2], id="int at its bound"),
            pytest.param(LOG_INT, 1, [2], id="log int at its bound"),
            pytest.param(LOG_INT, 90, [72, 93], id="log int in log space"),
            pytest.param(FLOAT, 0.0, [0.2], id="float zero"),
            pytest.param(DISCOUNT, 0.9, [0.9 + 0.1 * 0.2], id="discount at its bound"),
            pytest.param(ORDINAL, 64, [32], id="ordinal"),
            pytest.param({**ORDINAL, "values": [8]}, 8, [8], id="ordinal of one value"),
        ],
    )
    def test_one_step_reflected(self, parameter: dict[str, Any], value: Any, expected: list[Any]) -> None:
        assert outcomes(BOUNCE, parameter, value) == pytest.approx(expected)

    def test_a_large_step_is_reflected_as_often_as_it_takes(self) -> None:
        # 0.5 * 4.6 = 2.3 comes back from 1 as -0.3, and from 0 as 0.3.
        assert outcomes(Perturb([4.6], 0.0, "reflect"), FLOAT, 0.5) == pytest.approx([0.3])

    @pytest.mark.parametrize("boundary", ["clip", "reflect"])
    @pytest.mark.parametrize(
        "parameter", [DISCOUNT, {"type": "float", "low": 20.0, "high": 22.0}, {**INT, "low": 80, "high": 90}]
    )
    def test_steps_within_a_narrow_range_do_not_all_end_at_its_bounds(
        self, parameter: dict[str, Any], boundary: Boundary
    ) -> None:
        middle = (parameter["low"] + parameter["high"]) // 2 if parameter["type"] == "int" else None
        value = middle or (parameter["low"] + parameter["high"]) / 2
        found = outcomes(Perturb(resample_probability=0.0, boundary=boundary), parameter, value)
        assert len(found) == 2
        assert not set(found) & {parameter["low"], parameter["high"]}

    def test_hyperparameters_move_independently(self) -> None:
        space = space_of(x=FLOAT, y=FLOAT)
        configs = explored(STEP, space, [{"x": 0.5, "y": 0.5}] * 100, [1] + [0] * 99)
        assert len({(round(c["x"], 6), round(c["y"], 6)) for c in configs}) == 4

    def test_redraws_with_its_probability(self) -> None:
        configs = explored(Perturb([1.0]), space_of(x=FLOAT), [{"x": 0.0}] * 2000, [1] + [0] * 1999)
        assert np.mean([config["x"] > 0 for config in configs]) == pytest.approx(0.25, abs=0.04)

    def test_categoricals_are_redrawn_from_their_prior(self) -> None:
        weighted = {**CATEGORICAL, "weights": [0.0, 0.5, 0.5]}
        assert outcomes(Perturb(), weighted, "a") == ["a", "b", "c"]
        assert outcomes(Perturb(resample_probability=1.0), weighted, "a") == ["b", "c"]

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("factors", []),
            ("factors", [0.8, 0.0]),
            ("factors", "0.8"),
            ("factors", 0.8),
            ("resample_probability", 1.5),
            ("resample_probability", None),
            ("boundary", "wrap"),
            ("members", "some"),
        ],
    )
    def test_refuses(self, key: str, value: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Perturb(**{key: value})
        assert caught.value.key == key


class TestWhatAParameterSays:
    """``explore`` of a parameter in the search space."""

    @pytest.mark.parametrize(
        ("parameter", "transform", "value", "expected"),
        [
            pytest.param(FLOAT, "linear", 0.1, [0.0, 0.3], id="linear moves by a share of the range"),
            pytest.param(LOG, "linear", 0.05, [0.05 - 0.01998, 0.05 + 0.01998], id="linear on a log range"),
            pytest.param({**FLOAT, "low": 0.1}, "log", 0.5, [0.4, 0.6], id="log multiplies"),
            pytest.param(FLOAT, "one_minus", 0.5, [0.4, 0.6], id="one_minus multiplies 1 - value"),
            pytest.param(FLOAT, "logit", 0.5, [0.8 / 1.8, 1.2 / 2.2], id="logit multiplies the odds"),
            pytest.param(FLOAT, "logit", 0.0, [0.0, 0.0012 / (0.999 + 0.0012)], id="logit of 0"),
            pytest.param(FLOAT, "logit", 1.0, [0.999 * 0.8 / (0.001 + 0.999 * 0.8), 1.0], id="logit of 1"),
            pytest.param(FLOAT, "one_minus", 1.0, [1 - 0.0012, 1.0], id="one_minus of 1"),
            pytest.param(FLOAT, "linear", 0.0, [0.0, 0.2], id="linear of 0"),
            pytest.param(DISCOUNT, "logit", 0.9, [0.9, 10.8 / 11.8], id="logit at a bound"),
            pytest.param(DISCOUNT, "one_minus", 0.9, [0.9, 0.92], id="one_minus at a bound"),
            pytest.param(INT, "linear", 50, [30, 70], id="linear int"),
            pytest.param(INT, "log", 2, [1, 3], id="small int moves by one"),
        ],
    )
    def test_one_step_on_its_scale(
        self, parameter: dict[str, Any], transform: str, value: float, expected: list[float]
    ) -> None:
        found = outcomes(STEP, {**parameter, "explore": {"transform": transform}}, value)
        assert found == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("parameter", "transform", "value", "expected"),
        [
            pytest.param(FLOAT, "linear", 0.1, [0.1, 0.3], id="linear"),
            pytest.param({**FLOAT, "low": 0.5}, "log", 0.5, [0.6, 0.625], id="log"),
            pytest.param(DISCOUNT, "one_minus", 0.9, [0.9 + 0.1 / 6, 0.92], id="one_minus"),
            pytest.param(FLOAT, "logit", 0.0, [0.00119981, 0.00124969], id="logit of 0"),
        ],
    )
    def test_steps_are_reflected_on_its_scale(
        self, parameter: dict[str, Any], transform: str, value: float, expected: list[float]
    ) -> None:
        found = outcomes(BOUNCE, {**parameter, "explore": {"transform": transform}}, value)
        assert found == pytest.approx(expected, rel=1e-4)

    def test_its_factors_and_probability_come_before_the_rules(self) -> None:
        rule = Perturb((0.8, 1.2), 0.0)
        own = {**FLOAT, "explore": {"factors": [0.5]}}
        assert outcomes(rule, own, 0.5) == pytest.approx([0.25])
        assert len(outcomes(rule, {**FLOAT, "explore": {"resample": 1.0}}, 0.5)) > 100
        kept = {**CATEGORICAL, "explore": {"resample": 0.0}}
        assert outcomes(Perturb(resample_probability=1.0), kept, "a") == ["a"]

    def test_what_one_parameter_says_changes_no_draw_of_others(self) -> None:
        plain = explored(Perturb(), space_of(a=FLOAT, b=FLOAT), [{"a": 0.5, "b": 0.5}] * 50, [1] + [0] * 49)
        scaled = {**FLOAT, "explore": {"transform": "logit"}}
        other = explored(Perturb(), space_of(a=scaled, b=FLOAT), [{"a": 0.5, "b": 0.5}] * 50, [1] + [0] * 49)
        assert [one["b"] for one in plain] == [one["b"] for one in other]

    @staticmethod
    def share_on_bounds(rule: Perturb, transform: str, steps: int = 1000) -> float:
        """How often a discount in [0.9, 0.9999] stands on one of them, over steps of ten members."""
        space = space_of(x={**DISCOUNT, "explore": {"transform": transform}})
        rng, parents, standing = np.random.default_rng(0), np.array([1] + [0] * 9), []
        units = space.codec.draw(10, rng)
        for _ in range(steps):
            units[1:] = rule(units, parents, Evaluations(*(np.zeros((10, 1, 1)),) * 3), space, rng)[1:]
            standing.append(np.mean((units[1:] == 0) | (units[1:] == 1)))
        return float(np.mean(standing))

    @pytest.mark.parametrize("transform", ["logit", "one_minus"])
    def test_a_discount_does_not_collapse_onto_its_bounds(self, transform: str) -> None:
        assert self.share_on_bounds(Perturb((0.8, 1.25), 0.0), transform) < 0.1
        assert self.share_on_bounds(Perturb(), transform) < 0.1

    def test_multiplied_itself_it_does(self) -> None:
        assert self.share_on_bounds(Perturb((0.8, 1.25), 0.0), "log") == 1.0

    @pytest.mark.parametrize("transform", [None, "linear", "logit", "one_minus"])
    def test_zero_is_not_absorbing(self, transform: str | None) -> None:
        """Of members that start at 0, nearly all have left it after some steps."""
        explore = {} if transform is None else {"explore": {"transform": transform}}
        space = space_of(x={**FLOAT, **explore})
        rng, units = np.random.default_rng(0), np.zeros((50, 1))
        away = np.zeros(50, dtype=bool)
        for _ in range(20):
            units = Perturb((0.8, 1.25), 0.0, members="all")(
                units, np.arange(50), Evaluations(*(np.zeros((50, 1, 1)),) * 3), space, rng
            )
            away |= units[:, 0] > 0
        assert away.all()


class TestResampleRule:
    def test_draws_from_the_prior(self) -> None:
        prior = {
            "type": "float",
            "low": 0.0,
            "high": 1.0,
            "prior": {"type": "normal", "mean": 0.7, "std": 0.05},
        }
        configs = explored(Resample(), space_of(x=prior), [{"x": 0.1}] * 500, [1] + [0] * 499)
        drawn = [config["x"] for config in configs]
        assert np.mean(drawn) == pytest.approx(0.7, abs=0.01)
        assert np.std(drawn) == pytest.approx(0.05, abs=0.01)

    @pytest.mark.parametrize(("key", "value"), [("probability", -0.1), ("members", "none")])
    def test_refuses(self, key: str, value: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Resample(**{key: value})
        assert caught.value.key == key


@pytest.mark.parametrize(("members", "changed"), [("replaced", [False, True, False]), ("all", [True] * 3)])
@pytest.mark.parametrize(
    "make", [lambda members: Perturb((0.8, 1.2), 0.0, "clip", members), lambda m: Resample(1.0, m)]
)
def test_whom_it_explores(make: Any, members: str, changed: list[bool]) -> None:
    configs = explored(make(members), space_of(x=FLOAT), [{"x": 0.5}] * 3, [0, 0, 2])
    assert [config["x"] != 0.5 for config in configs] == changed


class TestConditions:
    SPACE = build_space(
        {
            "parameters": {
                "optimizer": {"type": "categorical", "choices": ["adam", "sgd"], "mutable": True},
                "momentum": {"type": "float", "low": 0.5, "high": 0.9, "mutable": True},
            },
            "conditions": [{"child": "momentum", "parent": "optimizer", "equals": "sgd"}],
        }
    )

    def test_what_becomes_active_is_drawn_and_what_becomes_inactive_vanishes(self) -> None:
        born = [{"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.6}] * 50
        configs = explored(Resample(members="all"), self.SPACE, born, range(100))
        assert {config["optimizer"] for config in configs} == {"adam", "sgd"}
        for config in configs:
            assert ("momentum" in config) == (config["optimizer"] == "sgd")

    def test_what_stays_inactive_is_left_alone(self) -> None:
        assert explored(STEP, self.SPACE, [{"optimizer": "adam"}] * 2, [1, 0]) == [{"optimizer": "adam"}] * 2


class TestForbidden:
    SPACE = build_space(
        {
            "parameters": {
                "width": {"type": "ordinal", "values": [1, 2, 3]},
                "rate": {"type": "ordinal", "values": [1, 2, 3], "mutable": True},
            },
            "forbidden": [{"width": 3, "rate": [1, 3]}, {"width": 2, "rate": 3}],
        }
    )

    def test_a_forbidden_proposal_is_made_anew(self) -> None:
        configs = explored(STEP, self.SPACE, [{"width": 2, "rate": 2}] * 50, [1] + [0] * 49)
        assert {config["rate"] for config in configs} == {1}

    def test_without_a_legal_proposal_what_was_inherited_stays(self) -> None:
        born = [{"width": 3, "rate": 2}] * 4
        assert explored(STEP, self.SPACE, born, [1, 0, 0, 0]) == born


def test_a_rule_that_leaves_the_cube_is_clipped() -> None:
    class Leap:
        window = 1

        def __call__(self, units: Floats, *_: Any) -> Floats:
            return units + 10.0

    assert explored(Leap(), space_of(x=FLOAT), [{"x": 0.5}] * 2, [0, 0]) == [{"x": 1.0}] * 2
