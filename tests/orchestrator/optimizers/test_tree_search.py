"""Monte Carlo tree search by hand: rewards, branches, and paths through a conditional space."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.optimizers.tree_search import Taken, TreeSearch, descent, rewards, uct
from orchestrator.trial import Trial
from search_spaces import ConfigurationError, SearchSpace, build_space
from workloads.contract import Objective

TREE = {
    "parameters": {
        "kind": {"type": "categorical", "choices": ["left", "right", "none"]},
        "depth": {"type": "int", "low": 1, "high": 4},
        "rate": {"type": "float", "low": 0.0, "high": 1.0},
    },
    "conditions": [
        {"child": "depth", "parent": "kind", "equals": "left"},
        {"child": "rate", "parent": "kind", "equals": "right"},
    ],
}


@pytest.fixture
def space() -> SearchSpace:
    return build_space(TREE)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_reward_is_the_share_of_the_others_that_are_worse() -> None:
    assert rewards(np.array([3.0, 1.0, 2.0])).tolist() == [0.0, 1.0, 0.5]
    assert rewards(np.array([5.0, 1.0, 1.0])).tolist() == [0.0, 0.75, 0.75]
    assert rewards(np.array([7.0])).tolist() == [0.5]
    losses = np.array([0.3, 0.1, 4.0, 2.0])
    assert np.array_equal(rewards(losses), rewards(np.exp(losses)))


def test_the_branch_of_the_largest_bound_is_taken() -> None:
    # Four trials: means .75 and .3 and .2; bounds with a bonus of sqrt(2 ln 4 / k) = 1.18 and 1.67.
    branch, gained = np.array([0, 0, 1, 2]), np.array([1.0, 0.5, 0.3, 0.2])
    assert uct(branch, gained, 3, 0.0, rng()) == 0
    assert uct(branch, gained, 3, 1.0, rng()) == 1  # .3 + 1.67 = 1.97, .75 + 1.18 = 1.93, .2 + 1.67 = 1.87
    assert uct(branch, gained, 3, 0.5, rng()) == 0  # .75 + .59 = 1.34, .3 + .83 = 1.13
    # A branch that nobody has taken comes first, whatever the others are worth.
    assert uct(branch, gained, 4, 0.0, rng()) == 3


def test_ties_are_broken_at_random() -> None:
    draws = np.random.default_rng(1)
    found = {uct(np.array([0, 1]), np.array([0.5, 0.5]), 2, 1.0, draws) for _ in range(50)}
    assert found == {0, 1}


def test_a_path_follows_conditions_and_ends_where_nobody_has_been(space: SearchSpace) -> None:
    names = [column.name for column in space.codec.columns]
    assert names[0] == "kind"
    tried = [
        {"kind": "left", "depth": 1},
        {"kind": "left", "depth": 3},
        {"kind": "right", "rate": 0.9},
        {"kind": "none"},
    ]
    gained = np.array([0.2, 1.0, 0.0, 0.1])
    point = descent(space.codec, Taken(space.codec.encode(tried), gained), 0.0, 5, rng())
    (config,) = space.codec.decode(space.codec.repair(point, rng()))
    # Left is best on average. Of its depths, 3 and 4 are the better half, and nobody has tried 4.
    assert config == {"kind": "left", "depth": 4}
    assert np.isnan(point[0, names.index("rate")])


def test_nothing_is_chosen_where_nothing_is_known(space: SearchSpace) -> None:
    nothing = Taken(np.empty((0, space.codec.dim)), np.empty(0))
    assert np.isnan(descent(space.codec, nothing, 1.0, 5, rng())).all()


def test_a_float_is_halved_so_often_and_no_further() -> None:
    space = build_space({"parameters": {"x": {"type": "float", "low": 0.0, "high": 1.0}}})
    units = (np.arange(8)[:, None] + 0.5) / 8
    taken = Taken(units, (units[:, 0] == units[5, 0]).astype(float))
    found = [descent(space.codec, taken, 0.0, 3, np.random.default_rng(i))[0, 0] for i in range(40)]
    assert min(found) >= 5 / 8 and max(found) <= 6 / 8
    assert max(found) - min(found) > 0.05
    wide = [descent(space.codec, taken, 0.0, 1, np.random.default_rng(i))[0, 0] for i in range(40)]
    assert min(wide) >= 0.5 and min(wide) < 5 / 8 and max(wide) > 6 / 8


def test_whole_numbers_of_a_wide_range_are_halved_like_floats() -> None:
    space = build_space({"parameters": {"n": {"type": "int", "low": 1, "high": 10**12}}})
    optimizer = TreeSearch(space, [Objective("loss")], 0)
    for _ in range(20):
        (suggestion,) = optimizer.ask()
        optimizer.tell([Trial(suggestion, (float(suggestion.config["n"]),))])
    assert min(trial.losses[0] for trial in optimizer._told) < 10**11


def test_a_conditional_space_is_searched_to_its_end(space: SearchSpace) -> None:
    """Without the float: six configurations, each once."""
    finite = build_space(
        {
            "parameters": {name: TREE["parameters"][name] for name in ("kind", "depth")},
            "conditions": TREE["conditions"][:1],
        }
    )
    optimizer = TreeSearch(finite, [Objective("loss")], 0)
    found = []
    for number in range(6):
        (suggestion,) = optimizer.ask()
        found.append(tuple(sorted(suggestion.config.items())))
        optimizer.tell([Trial(suggestion, (float(number),))])
    assert len(set(found)) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exploration": -1.0}, "optimizer.exploration: expected a number from 0 on"),
        ({"exploration": float("nan")}, "optimizer.exploration: expected a number from 0 on"),
        ({"halvings": 0}, "optimizer.halvings: expected at least 1"),
    ],
)
def test_wrong_arguments_are_refused(space: SearchSpace, arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TreeSearch(space, [Objective("loss")], 0, **arguments)
