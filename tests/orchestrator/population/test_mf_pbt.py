from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.mf_pbt import MfPbt
from orchestrator.population.past import Setting
from orchestrator.population.records import MemberInterval, Report
from search_spaces import ConfigurationError, SearchSpace, build_space
from workloads.contract import Objective

SPACE = build_space(
    {
        "parameters": {
            "rate": {"type": "float", "low": 1e-6, "high": 1.0, "log": True, "mutable": True},
            "width": {"type": "int", "low": 1, "high": 100},
        }
    }
)
LOSS = (Objective("loss"),)
BORN = [{"rate": 10.0 ** -(1 + member / 4), "width": 10 + member} for member in range(8)]
FAST, SLOW = range(4), range(4, 8)
"""The members of each sub-population where they evolve after 1 and 2 intervals."""


def population(method: MfPbt, seed: int = 0) -> Evolution:
    return Evolution(SPACE, LOSS, method, size=8, generations=9, seed=seed, initial=BORN)


def publish(evolution: Evolution, generation: int, losses: Sequence[float | None]) -> list[MemberInterval]:
    """What is decided after one interval of everybody; None: it failed."""
    reports = [
        Report(member, generation, generation, {"loss": loss} if loss is not None else {}, 0.1)
        for member, loss in enumerate(losses)
    ]
    return evolution.decide(reports)


def parents(intervals: Sequence[MemberInterval]) -> list[int]:
    return [interval.parent for interval in intervals]


def test_only_sub_populations_evolve_whose_turn_it_is() -> None:
    evolution = population(MfPbt(periods=(1, 2)))
    first = publish(evolution, 1, [0, 1, 2, 3, 10, 11, 12, 13])
    assert parents(first) == [0, 1, 2, 0, 4, 5, 6, 7]
    assert [interval.wait for interval in first] == [1] * 8
    second = publish(evolution, 2, [0, 1, 2, 3, 10, 11, 12, 13])
    assert parents(second) == [0, 1, 2, 0, 4, 5, 0, 4]
    assert [interval.wait for interval in second] == [1] * 4 + [2] * 4


def test_the_worst_quarter_copies_the_best_at_home_and_explores() -> None:
    evolution = population(MfPbt(periods=(1, 2)))
    worst = publish(evolution, 1, [0, 1, 2, 3, 10, 11, 12, 13])[3]
    assert worst.next_config["width"] == BORN[0]["width"]
    ratio = worst.next_config["rate"] / BORN[0]["rate"]
    assert ratio == pytest.approx(0.8) or ratio == pytest.approx(1.25)


def test_quarters_copy_rank_by_rank() -> None:
    evolution = Evolution(SPACE, LOSS, MfPbt(periods=(1, 2)), size=16, generations=9, seed=0)
    losses = [0, 1, 2, 3, 4, 5, 7, 6, *range(100, 108)]
    assert parents(publish(evolution, 1, losses))[:8] == [0, 1, 2, 3, 4, 5, 1, 0]


def test_the_third_quarter_takes_weights_and_hyperparameters_of_a_slower_sub_population() -> None:
    evolution = population(MfPbt(periods=(1, 2)))
    third = publish(evolution, 1, [10, 11, 12, 13, 0, 1, 2, 3])[2]
    assert third.parent == 4
    assert third.next_config == pytest.approx(BORN[4])


def test_of_a_faster_sub_population_it_takes_the_weights_alone() -> None:
    """The hyperparameters come from the best at home; what is fixed at birth comes with the weights."""
    evolution = population(MfPbt(periods=(2, 1)))
    publish(evolution, 1, [11, 10, 12, 13, 0, 1, 2, 3])
    third = publish(evolution, 2, [11, 10, 12, 13, 0, 1, 2, 3])[2]
    assert third.parent == 4
    assert third.next_config == pytest.approx({"rate": BORN[1]["rate"], "width": BORN[4]["width"]})


def test_between_equal_paces_it_keeps_its_own_hyperparameters() -> None:
    third = publish(population(MfPbt(periods=(1, 1))), 1, [10, 11, 12, 13, 0, 1, 2, 3])[2]
    assert third.parent == 4
    assert third.next_config == pytest.approx({"rate": BORN[2]["rate"], "width": BORN[4]["width"]})


@pytest.mark.parametrize("abroad", [12, 13])
def test_only_better_members_migrate(abroad: float) -> None:
    third = publish(population(MfPbt(periods=(1, 2))), 1, [10, 11, 12, 13, *[abroad] * 4])[2]
    assert not third.copies


def test_the_next_best_migrates_to_the_next_in_rank() -> None:
    evolution = Evolution(SPACE, LOSS, MfPbt(periods=(1, 2)), size=16, generations=9, seed=0)
    losses = [0, 1, 2, 3, 5, 4, 7, 6, 3.5, 4.5, 4.4, *range(100, 105)]
    assert parents(publish(evolution, 1, losses))[4:6] == [10, 8]


def test_a_failed_member_is_replaced_at_once_from_its_own_sub_population() -> None:
    evolution = population(MfPbt(periods=(1, 3)))
    assert publish(evolution, 1, [0, 1, 2, 3, 10, 11, None, 13])[6].parent == 4
    again = publish(evolution, 2, [0, 1, 2, 3, 10, 11, 12, 13])
    assert again[6].parent == 6 and again[6].wait == 1


def test_where_a_whole_sub_population_has_failed_the_others_help() -> None:
    intervals = publish(population(MfPbt(periods=(1, 3))), 1, [0, 1, 2, 3, None, None, None, None])
    assert parents(intervals)[4:] == [0] * 4


class TestRefusals:
    @pytest.mark.parametrize("periods", [[], [1], [0, 1], [1, 2.5], [True, 2], "12", 3, None])
    def test_periods(self, periods: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            MfPbt(periods=periods)
        assert caught.value.key == "periods"

    def test_factors(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            MfPbt(factors=[0.0])
        assert caught.value.key == "factors"

    @pytest.mark.parametrize(
        ("size", "generations", "objectives", "space", "key"),
        [
            (10, 100, LOSS, SPACE, "population.size"),
            (12, 100, LOSS, SPACE, "population.size"),
            (16, 50, LOSS, SPACE, "periods"),
            (16, 100, (*LOSS, Objective("other")), SPACE, ""),
            (16, 100, LOSS, build_space({"parameters": {"x": {"type": "int", "low": 1, "high": 2}}}), None),
        ],
    )
    def test_studies(
        self, size: int, generations: int, objectives: Any, space: SearchSpace, key: str | None
    ) -> None:
        with pytest.raises(ConfigurationError) as caught:
            MfPbt().serves(Setting(space, objectives, size, generations))
        assert caught.value.key == ("search_space.parameters" if key is None else key)

    def test_its_own_study_is_served(self) -> None:
        MfPbt().serves(Setting(SPACE, LOSS, 16, 51))
