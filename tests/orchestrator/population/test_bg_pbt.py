"""BG-PBT: its trust region worked out of the past, its copula, what it proposes and whom it serves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.bg_pbt import BgPbt, copula, neighbours
from orchestrator.population.methods.trust_region import Region, trust_regions
from orchestrator.population.past import Setting
from search_spaces import ConfigurationError, SearchSpace, build_space
from tests.orchestrator.population.method_contract import PLAIN, publish
from workloads.contract import Objective

NAN = math.nan


def regions(course: str, patience: int = 100, losses: list[float] | None = None) -> list[Region]:
    """Rounds of two members; the second was proposed and loses (``-``) or wins (``+``), or was not (``.``).

    Unless losses are given, each round's best is a new best.
    """
    count = len(course)
    best = np.array(losses if losses is not None else -np.arange(count, dtype=float))
    rounds = np.repeat(np.arange(1, count + 1), 2)
    values = np.array(
        [
            [one + 0.5 * (sign == "+"), one + 0.5 * (sign != "+")]
            for one, sign in zip(best, course, strict=True)
        ]
    )
    proposed = np.array([[False, sign != "."] for sign in course], dtype=bool)
    return trust_regions(rounds, values.ravel(), proposed.ravel(), patience)


@pytest.mark.parametrize(
    ("course", "length"),
    [
        ("", 0.4),
        ("++", 0.4),
        ("+++", 0.6),
        ("++-+", 0.4),
        ("++.+", 0.6),
        ("+" * 6, 0.9),
        ("+" * 9, 1.0),
        ("-" * 9, 0.4),
        ("-" * 10, 0.4 / 1.5),
        ("-" * 9 + "+" + "-" * 9, 0.4),
    ],
)
def test_the_region_grows_after_three_successes_and_shrinks_after_ten_failures(
    course: str, length: float
) -> None:
    assert regions(course) == [Region(1, pytest.approx(length))]


def test_a_region_that_has_shrunk_to_the_least_side_is_given_up() -> None:
    # .4, .267, .178, .15.
    assert [one.first for one in regions("-" * 30)] == [1, 31]
    assert regions("-" * 30)[-1].length == 0.4


def test_a_region_without_a_new_best_is_given_up_after_the_patience() -> None:
    losses = [1.0, *[2.0] * 3, 3.0, 2.5]
    assert [one.first for one in regions("......", 3, losses)] == [1, 5]
    assert [one.first for one in regions("......", 4, losses)] == [1, 6]


def test_a_round_in_which_everybody_failed_is_no_success() -> None:
    rounds, losses = np.array([1, 1, 2, 2, 3, 3]), np.full(6, NAN)
    assert trust_regions(rounds, losses, np.array([False, True] * 3), 9) == [Region(1, 0.4)]


def test_a_copula_counts_ranks_and_failures_come_last() -> None:
    scores = copula(np.array([5.0, NAN, 1e9, 5.0]))
    np.testing.assert_allclose(scores, norm.ppf([3 / 5, 1 / 5, 4 / 5, 3 / 5]))


def test_neighbours_differ_in_one_category() -> None:
    options = neighbours(np.array([0.0, 2.0, -1.0]), np.array([2, 3, 4]))
    assert sorted(map(tuple, options.tolist())) == [(0, 0, -1), (0, 1, -1), (0, 2, -1), (1, 2, -1)]


SQUARE = build_space(
    {"parameters": {name: {"type": "float", "low": 0, "high": 1, "mutable": True} for name in "ab"}}
)


def evolved(rounds: int, *, gains: bool = True, patience: int = 9, seed: int = 0) -> Evolution:
    """Four members, the last of which is worst in each round and copies the first."""
    method = BgPbt(quantile=0.25, patience=patience)
    loss = (Objective("loss0"),)
    evolution = Evolution(SQUARE, loss, method, size=4, generations=rounds + 1, seed=seed)
    for generation in range(1, rounds + 1):
        losses = np.array([[1.0], [2.0], [3.0], [4.0]])
        publish(evolution, generation, losses / generation if gains else losses)
    return evolution


def gap(evolution: Evolution, generation: int) -> float:
    """The greatest difference of one hyperparameter between the last member and its parent."""
    copy, parent = (evolution.lives[member][generation - 1] for member in (3, 0))
    assert copy.parent == 0
    return max(abs(float(copy.next_config[name]) - float(parent.config[name])) for name in "ab")


def test_proposals_stay_in_the_region_round_the_parents_numbers() -> None:
    evolution = evolved(6)
    assert all(0 < gap(evolution, generation) <= 0.2 + 1e-9 for generation in range(3, 7))


def test_a_new_region_is_entered_wherever_the_space_promises_most() -> None:
    # The best loss is that of round 1, so that round 3 ends the region; round 4 tells of the next.
    courses = [evolved(4, gains=False, patience=2, seed=seed) for seed in range(5)]
    assert max(gap(evolution, 3) for evolution in courses) > 0.3
    assert all(gap(evolution, 4) <= 0.2 + 1e-9 for evolution in courses)


FIXED = build_space({"parameters": {"x": {"type": "float", "low": 0, "high": 1}}})


@pytest.mark.parametrize(
    ("space", "size", "key"), [(PLAIN, 1, "population.size"), (FIXED, 4, "search_space.parameters")]
)
def test_what_cannot_be_served_is_refused(space: SearchSpace, size: int, key: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        BgPbt().serves(Setting(space, (Objective("loss0"),), size, 9))
    assert refused.value.key == key


def test_the_best_configurations_of_all_births_stay() -> None:
    """Two members and three births: six configurations, of which the best two are picked."""
    method = BgPbt(births=3)
    evolution = Evolution(SQUARE, (Objective("loss0"),), method, size=2, generations=9, seed=0)
    for generation, losses in ((1, [5.0, 1.0]), (2, [6.0, 7.0])):
        intervals = publish(evolution, generation, np.array(losses)[:, None])
        assert all(one.reborn and one.next_config != one.config for one in intervals)
    seen = {one.place: one.config for life in evolution.lives for one in life}
    first, second = publish(evolution, 3, np.array([[2.0], [8.0]]))
    # The best are member 1's first, whose weights are gone, and member 0's third, which goes on.
    assert not first.reborn and not first.copies and first.next_config == first.config
    assert second.reborn and second.next_config == pytest.approx(seen[1, 1])
    later = publish(evolution, 4, np.array([[1.0], [2.0]]))
    assert not any(one.reborn for one in later)


def test_members_that_arrive_alone_pick_out_of_what_is_known() -> None:
    method = BgPbt(births=2)
    evolution = Evolution(SQUARE, (Objective("loss0"),), method, size=2, generations=9, seed=0)
    publish(evolution, 1, np.array([[3.0], [NAN]]), alone=True)
    config = evolution.lives[0][0].config
    first, second = publish(evolution, 2, np.array([[4.0], [5.0]]), alone=True)
    assert not first.reborn and first.next_config == first.config
    assert second.reborn and second.next_config == pytest.approx(config)


def test_births_that_fill_a_life_are_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"births: expected fewer than population\.generations, 3, got 3"
    ):
        BgPbt(births=3).serves(Setting(SQUARE, (Objective("loss0"),), 4, 3))
    with pytest.raises(ConfigurationError, match="births: expected a whole number of at least 1, got 0"):
        BgPbt(births=0)
