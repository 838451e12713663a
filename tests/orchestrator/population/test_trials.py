"""Random search and successive halving: members as slots for trials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.annealed_search import AnnealedSearch
from orchestrator.population.methods.contract import Method
from orchestrator.population.methods.hypervolume_guided import HypervolumeGuided
from orchestrator.population.methods.random_search import RandomSearch
from orchestrator.population.methods.successive_halving import SuccessiveHalving
from orchestrator.population.past import Setting
from orchestrator.population.trials import trained
from orchestrator.stopping.halving import goes_on
from search_spaces import ConfigurationError, SearchSpace, build_space
from tests.orchestrator.population.method_contract import PLAIN, publish, report
from workloads.contract import Objective

LOSS = Objective("loss0")
BOUNDED = Objective("loss0", bound=2.0)


def population(method: Method, size: int = 9, objectives: tuple[Objective, ...] = (LOSS,)) -> Evolution:
    return Evolution(PLAIN, objectives, method, size=size, generations=12, seed=0)


def ended(evolution: Evolution, generation: int, losses: Any) -> list[bool]:
    """Whose trial ends there; nobody ever copies."""
    intervals = publish(evolution, generation, np.array(losses, dtype=float).reshape(evolution.size, -1))
    assert not any(interval.copies for interval in intervals)
    return [interval.reborn for interval in intervals]


class TestRandomSearch:
    def test_a_trial_lasts_as_long_as_its_member(self) -> None:
        evolution = population(RandomSearch(), 2)
        born = [evolution.config(0), evolution.config(1)]
        for generation in range(1, 13):
            assert ended(evolution, generation, [1, 2]) == [False, False]
        assert [evolution.config(0), evolution.config(1)] == born

    def test_a_trial_of_a_given_length_is_followed_by_another(self) -> None:
        evolution = population(RandomSearch(length=3), 1)
        born = evolution.config(0)
        assert [ended(evolution, generation, [1])[0] for generation in range(1, 8)] == [
            False,
            False,
            True,
        ] * 2 + [False]
        assert evolution.config(0) != born

    def test_a_trial_of_one_interval(self) -> None:
        evolution = population(RandomSearch(length=1), 1)
        assert [ended(evolution, generation, [1])[0] for generation in (1, 2, 3)] == [True] * 3

    def test_a_failed_trial_is_followed_by_another_of_full_length(self) -> None:
        evolution = population(RandomSearch(length=3), 1)
        losses = [1, np.nan, 1, 1, 1, 1]
        ends = [ended(evolution, number, [loss])[0] for number, loss in enumerate(losses, start=1)]
        assert ends == [False, True, False, False, True, False]

    def test_serves_any_objectives_and_spaces(self) -> None:
        RandomSearch().serves(Setting(PLAIN, (BOUNDED, Objective("other")), 1, 1))

    @pytest.mark.parametrize("length", [0, 2.0, True, "all"])
    def test_refuses_lengths(self, length: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            RandomSearch(length=length)
        assert caught.value.key == "length"

    def test_refuses_trials_that_outlive_their_member(self) -> None:
        with pytest.raises(ConfigurationError, match="at most 12") as caught:
            RandomSearch(length=13).serves(Setting(PLAIN, (LOSS,), 4, 12))
        assert caught.value.key == "length"


class TestSuccessiveHalving:
    def test_a_third_goes_on_at_each_rung(self) -> None:
        evolution = population(SuccessiveHalving(eta=3))
        assert ended(evolution, 1, range(9)) == [False] * 3 + [True] * 6
        # The new trials are at their first rung: 15 have been there by now, of which five go on.
        second = ended(evolution, 2, [0, 1, 2, 2.5, 0.5, 7, 8, 9, 9])
        assert second == [False] * 5 + [True] * 4
        # The three that went on first are at the second rung, where one of them goes on.
        assert ended(evolution, 3, [2, 1, 3, *[9] * 6])[:3] == [True, False, True]

    def test_rungs_stand_at_powers_of_eta_and_the_last_at_a_full_trial(self) -> None:
        evolution = population(SuccessiveHalving(eta=2, length=6), 1)
        ends = [ended(evolution, generation, [-generation])[0] for generation in range(1, 8)]
        assert ends == [False] * 5 + [True, False]
        waits = [interval.wait for interval in evolution.lives[0]]
        assert waits[:4] == [1, 2, 1, 2], "judged after 1, 2 and 4 intervals, ended after 6"

    def test_the_first_rung_may_stand_later(self) -> None:
        evolution = population(SuccessiveHalving(eta=3, first=2), 3)
        assert ended(evolution, 1, [0, 1, 2]) == [False] * 3
        assert ended(evolution, 2, [0, 1, 2]) == [False, True, True]
        assert ended(evolution, 3, [0, 1, 2]) == [False] * 3
        assert ended(evolution, 4, [0, 9, 9]) == [False, True, True]

    def test_alone_the_first_to_come_goes_on(self) -> None:
        evolution = population(SuccessiveHalving(), 2)
        verdicts = [
            evolution.decide([report(member, 1, np.array([loss]))], alone=True)[0].reborn
            for member, loss in ((0, 5.0), (1, 6.0))
        ]
        assert verdicts == [False, True]

    def test_failed_trials_do_not_count(self) -> None:
        evolution = population(SuccessiveHalving(eta=2), 5)
        assert ended(evolution, 1, [3, 2, 1, np.nan, np.nan]) == [True, True, False, True, True]

    def test_what_breaks_a_bound_comes_last(self) -> None:
        maximised = Objective("loss0", direction="max", bound=2.0)
        assert ended(population(SuccessiveHalving(), 3, (maximised,)), 1, [1, 2, 1.5])[1] is False

    def test_verdicts_are_those_of_the_one_rule(self) -> None:
        rng = np.random.default_rng(0)
        for objectives in (1, 2):
            losses = rng.normal(size=(9, objectives))
            names = tuple(Objective(f"loss{number}") for number in range(objectives))
            found = ended(population(SuccessiveHalving(), 9, names), 1, losses)
            assert found == [not goes_on(losses, row, 3) for row in range(9)]

    @pytest.mark.parametrize(
        ("key", "value"), [("eta", 1), ("eta", 2.5), ("first", 0), ("length", 1), ("length", "all")]
    )
    def test_refuses(self, key: str, value: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            SuccessiveHalving(**{key: value})
        assert caught.value.key == key

    @pytest.mark.parametrize(
        ("method", "key"),
        [
            (SuccessiveHalving(length=13), "length"),
            (SuccessiveHalving(first=12), "first"),
            (SuccessiveHalving(first=4, length=4), "first"),
        ],
    )
    def test_refuses_studies_in_which_nothing_would_be_judged(self, method: Method, key: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            method.serves(Setting(PLAIN, (LOSS,), 4, 12))
        assert caught.value.key == key


def switching(parent: str, child: str, **when: float) -> SearchSpace:
    """Two numbers, of which one is there while the other is ``less`` or ``greater`` than a bound."""
    number = {"type": "float", "low": 0.0, "high": 1.0, "mutable": True}
    return build_space(
        {
            "parameters": {parent: number, child: number},
            "conditions": [{"child": child, "parent": parent, **when}],
        }
    )


class TestAnnealedSearch:
    def test_a_parameter_falls_along_a_cosine_from_what_was_drawn(self) -> None:
        evolution = population(AnnealedSearch({"decay": 0.5}), 1)
        born = evolution.config(0)
        for generation in range(1, 12):
            assert ended(evolution, generation, [1]) == [False]
            height = 0.5 + 0.25 * (1 + np.cos(np.pi * generation / 12))
            assert evolution.config(0)["decay"] == pytest.approx(born["decay"] * height)
        assert {**evolution.config(0), "decay": 0} == {**born, "decay": 0}

    def test_a_failed_trial_is_followed_by_another_at_the_top_of_its_cosine(self) -> None:
        evolution, undisturbed = (population(AnnealedSearch({"decay": 0.5}), 1) for _ in range(2))
        assert [ended(evolution, n, [loss])[0] for n, loss in ((1, 1), (2, np.nan))] == [False, True]
        begun = evolution.config(0)
        assert begun["decay"] != undisturbed.config(0)["decay"]
        ended(evolution, 3, [1])
        height = 0.5 + 0.25 * (1 + np.cos(np.pi / 12))
        assert evolution.config(0)["decay"] == pytest.approx(begun["decay"] * height)

    def test_nothing_falls_below_its_range(self) -> None:
        evolution = population(AnnealedSearch({"rate": 1e-6}), 3)
        for generation in range(1, 12):
            ended(evolution, generation, [1, 1, 1])
        assert all(evolution.config(member)["rate"] >= 1e-4 for member in range(3))

    def test_what_the_fall_switches_on_is_drawn_once(self) -> None:
        space = switching("rate", "momentum", less=0.3)
        method = AnnealedSearch({"rate": 0.1})
        evolution = Evolution(space, (LOSS,), method, size=1, generations=12, seed=0, initial=[{"rate": 1.0}])
        seen = []
        for generation in range(1, 12):
            publish(evolution, generation, np.array([[1.0]]))
            config = evolution.config(0)
            assert ("momentum" in config) == (config["rate"] < 0.3)
            seen.append(config.get("momentum"))
        assert seen[0] is None and seen[-1] is not None
        assert len(set(seen)) == 2

    @pytest.mark.parametrize("shares", [{}, {"rate": 0}, {"rate": 1.5}])
    def test_refuses_shares_that_are_none(self, shares: dict[str, float]) -> None:
        with pytest.raises(ConfigurationError, match="shares"):
            AnnealedSearch(shares)

    @pytest.mark.parametrize("name", ["depth", "rates"])
    def test_refuses_parameters_that_cannot_fall(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=f"shares: expected mutable floats .*got '{name}'"):
            AnnealedSearch({name: 0.1}).serves(Setting(PLAIN, (LOSS,), 4, 12))


def test_what_trials_have_trained() -> None:
    evolution = population(RandomSearch(length=2), 2)
    for generation, losses in enumerate(([1, 1], [1, np.nan], [np.nan, 1]), start=1):
        ended(evolution, generation, losses)
    assert trained(evolution.past).tolist() == [1, 1, 2, 2, 1, 1]


class TestHypervolumeGuided:
    """Two objectives with the references 1: a publication (a, b) alone covers (1 - a) * (1 - b)."""

    objectives = (Objective("loss0", reference=1.0), Objective("loss1", reference=1.0))
    method = HypervolumeGuided("decay", base=0.25, scale=0.5)

    def test_the_factor_is_by_what_a_publication_adds_to_the_members_own(self) -> None:
        evolution = population(self.method, 2, self.objectives)
        born = [evolution.config(member) for member in range(2)]
        assert [config["decay"] for config in born] == [0.25, 0.25]
        # The first member covers .25, adds nothing, then .05; the second .08, then nothing.
        courses = [((0.5, 0.5), (0.9, 0.8)), ((0.6, 0.5), (0.9, 0.9)), ((0.4, 0.5), (1.5, 0.1))]
        gained = [(0.25, 0.02), (0.0, 0.0), (0.05, 0.0)]
        for generation, (losses, expected) in enumerate(zip(courses, gained, strict=True), start=1):
            assert ended(evolution, generation, losses) == [False, False]
            for member in range(2):
                config = evolution.config(member)
                value = 0.25 + 0.5 * math.tanh(expected[member])
                assert config == {**born[member], "decay": pytest.approx(value)}

    def test_a_member_that_fails_starts_another_front(self) -> None:
        evolution = population(self.method, 1, self.objectives)
        ended(evolution, 1, [(0.5, 0.5)])
        assert ended(evolution, 2, [(math.nan, math.nan)]) == [True]
        assert evolution.config(0)["decay"] == pytest.approx(0.25)
        ended(evolution, 3, [(0.6, 0.6)])  # worse than the first of the trial before
        assert evolution.config(0)["decay"] == pytest.approx(0.25 + 0.5 * math.tanh(0.16))

    def test_what_the_factor_switches_on_and_off_is_drawn_and_left_out(self) -> None:
        space = switching("gain", "rate", greater=0.3)
        method = HypervolumeGuided("gain", base=0.25, scale=0.5)
        evolution = Evolution(space, self.objectives, method, size=1, generations=4, seed=0)
        assert set(evolution.config(0)) == {"gain"}
        publish(evolution, 1, np.array([[0.2, 0.2]]))
        assert set(evolution.config(0)) == {"gain", "rate"}
        publish(evolution, 2, np.array([[0.9, 0.9]]))
        assert evolution.config(0) == {"gain": pytest.approx(0.25)}

    @pytest.mark.parametrize(
        ("method", "objectives", "message"),
        [
            (method, (LOSS,), "objectives: expected at least 2 for HypervolumeGuided"),
            (
                HypervolumeGuided("decay"),
                objectives,
                "parameter: expected a mutable float of the search space",
            ),
            (
                HypervolumeGuided("depth"),
                objectives,
                "parameter: expected a mutable float of the search space",
            ),
            (method, (LOSS, BOUNDED), "bound: expected null"),
        ],
    )
    def test_what_it_cannot_serve_is_refused(
        self, method: HypervolumeGuided, objectives: tuple[Objective, ...], message: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=message):
            method.serves(Setting(PLAIN, objectives, 2, 12))

    def test_wrong_arguments_are_refused(self) -> None:
        for arguments in ({"base": -1.0}, {"scale": math.nan}):
            with pytest.raises(ConfigurationError, match="expected a number from 0 on"):
                HypervolumeGuided(**arguments)
