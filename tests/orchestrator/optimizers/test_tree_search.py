"""Monte Carlo tree search by hand: rewards, branches, and paths through a conditional space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from orchestrator.optimizers import tree_search
from orchestrator.optimizers.choice_tree import ChoiceTree, Decisions, Path, Taken, _edges, uct
from orchestrator.optimizers.tree_search import TreeSearch, rewards
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from search_spaces.columns import Column
from workloads.contract import Objective

TREE: Mapping[str, Any] = {
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


@pytest.fixture
def never_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No suggestion comes from elsewhere than the tree."""

    def given_up(*_: object) -> None:
        raise AssertionError("the tree had nothing to suggest")

    monkeypatch.setattr(tree_search, "untried", given_up)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def nothing(space: SearchSpace) -> np.ndarray[Any, Any]:
    """No draws from the priors."""
    return np.empty((0, space.codec.dim))


def way(space: SearchSpace, taken: Taken, closed: set[Decisions] | None = None, **options: Any) -> Path:
    tree = ChoiceTree(space.codec, **{"exploration": 0.0, "halvings": 5, **options})
    found = tree.descent(taken, set() if closed is None else closed, nothing(space), rng())
    assert found is not None
    return found


def studied(optimizer: TreeSearch, loss: Callable[[Config], float], trials: int) -> list[Config]:
    configs = []
    for _ in range(trials):
        (suggestion,) = optimizer.ask()
        configs.append(suggestion.config)
        optimizer.tell([Trial(suggestion, (loss(suggestion.config),))])
    return configs


def search(definition: Mapping[str, Any], seed: int = 0, **options: Any) -> TreeSearch:
    return TreeSearch(build_space(definition), [Objective("loss")], seed, **options)


def test_a_reward_is_the_share_of_the_others_that_are_worse() -> None:
    assert rewards(np.array([3.0, 1.0, 2.0])).tolist() == [0.0, 1.0, 0.5]
    assert rewards(np.array([5.0, 1.0, 1.0])).tolist() == [0.0, 0.75, 0.75]
    assert rewards(np.array([7.0])).tolist() == [0.5]
    losses = np.array([0.3, 0.1, 4.0, 2.0])
    assert np.array_equal(rewards(losses), rewards(np.exp(losses)))


def test_the_branch_of_the_largest_bound_is_taken() -> None:
    # Four trials: means .75 and .3 and .2; bounds with a bonus of sqrt(2 ln 4 / k) = 1.18 and 1.67.
    branch, gained, able = np.array([0, 0, 1, 2]), np.array([1.0, 0.5, 0.3, 0.2]), np.ones(3, dtype=bool)
    assert uct(branch, gained, able, 0.0, rng()) == 0
    assert uct(branch, gained, able, 1.0, rng()) == 1  # .3 + 1.67 = 1.97, .75 + 1.18 = 1.93
    assert uct(branch, gained, able, 0.5, rng()) == 0  # .75 + .59 = 1.34, .3 + .83 = 1.13
    # A branch that nobody has taken comes first, whatever the others are worth; one that is closed never.
    assert uct(branch, gained, np.ones(4, dtype=bool), 0.0, rng()) == 3
    assert uct(branch, gained, np.array([False, True, True, False]), 0.0, rng()) == 1


def test_ties_are_broken_at_random() -> None:
    draws, able = np.random.default_rng(1), np.ones(2, dtype=bool)
    found = {uct(np.array([0, 1]), np.array([0.5, 0.5]), able, 1.0, draws) for _ in range(50)}
    assert found == {0, 1}


def test_a_path_follows_conditions_and_ends_where_nobody_has_been(space: SearchSpace) -> None:
    names = [column.name for column in space.codec.columns]
    tried = [
        {"kind": "left", "depth": 1},
        {"kind": "left", "depth": 3},
        {"kind": "right", "rate": 0.9},
        {"kind": "none"},
    ]
    taken = Taken(space.codec.encode(tried), np.array([0.2, 1.0, 0.0, 0.1]))
    path = way(space, taken)
    (config,) = space.codec.decode(space.codec.repair(path.point, rng()))
    # Left is best on average. Of its depths, 3 and 4 are the better half, and nobody has tried 4.
    assert config == {"kind": "left", "depth": 4}
    assert path.decisions == (0, 1, 1)
    assert np.isnan(path.point[0, names.index("rate")])
    # With that closed: 3 again. With both halves closed, left is, and the next best is "none".
    closed: set[Decisions] = {(0, 1, 1)}
    assert way(space, taken, closed).decisions == (0, 1, 0)
    closed |= {(0, 1, 0), (0, 0)}
    assert way(space, taken, closed).decisions == (2,)
    assert {(0,), (0, 1)} <= closed
    assert (
        ChoiceTree(space.codec, 0.0, 5).descent(taken, closed | {(1,), (2,)}, nothing(space), rng()) is None
    )


def test_nothing_is_chosen_where_nothing_is_known(space: SearchSpace) -> None:
    path = way(space, Taken(nothing(space), np.empty(0)))
    assert np.isnan(path.point).all() and path.decisions == ()


def test_a_float_is_halved_so_often_and_no_further() -> None:
    space = build_space({"parameters": {"x": {"type": "float", "low": 0.0, "high": 1.0}}})
    units = (np.arange(8)[:, None] + 0.5) / 8
    taken = Taken(units, (units[:, 0] == units[5, 0]).astype(float))

    def places(halvings: int) -> list[float]:
        tree = ChoiceTree(space.codec, 0.0, halvings)
        found = [
            tree.descent(taken, set(), nothing(space), np.random.default_rng(seed)) for seed in range(40)
        ]
        return [float(path.point[0, 0]) for path in found if path is not None]

    narrow, wide = places(3), places(1)
    assert len(narrow) == 40 and min(narrow) >= 5 / 8 and max(narrow) <= 6 / 8
    assert max(narrow) - min(narrow) > 0.05
    assert min(wide) >= 0.5 and min(wide) < 5 / 8 and max(wide) > 6 / 8


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (Column("n", "int", 1, 4), [1, 2, 3, 4]),
        (Column("n", "int", 1, 10**6), None),
        (Column("n", "int", 1, 100, log=True), None),
        (Column("n", "ordinal", 0, 6, size=7), list(range(7))),
    ],
)
def test_every_bin_holds_a_value_and_no_value_lies_in_two(column: Column, values: list[int] | None) -> None:
    edges = _edges(column, 4)
    assert np.all(np.diff(edges) > 0) and len(edges) <= 2**4 + 1
    starts = column.from_units(edges[:-1] + 1e-9 * np.diff(edges))
    ends = column.from_units(edges[1:] - 1e-9 * np.diff(edges))
    assert starts[0] == column.low and ends[-1] == column.high
    # Each bin begins one value after the one before ends.
    assert np.allclose(starts[1:], ends[:-1] + 1)
    assert values is None or starts.tolist() == values == ends.tolist()


@pytest.mark.usefixtures("never_given_up")
def test_logarithmic_counts_are_searched_like_others() -> None:
    definition = {
        "parameters": {
            "n": {"type": "int", "low": 1, "high": 100, "log": True},
            "x": {"type": "float", "low": 0.0, "high": 1.0},
        }
    }
    late = [
        config["x"]
        for seed in range(3)
        for config in studied(search(definition, seed), lambda c: float(c["n"]) / 100 + float(c["x"]), 200)[
            100:
        ]
    ]
    assert np.mean(late) < 0.35  # at random: .5


@pytest.mark.usefixtures("never_given_up")
def test_whole_numbers_of_a_wide_range_are_learned() -> None:
    definition = {"parameters": {"n": {"type": "int", "low": 1, "high": 10**12}}}
    found = studied(search(definition), lambda config: abs(float(config["n"]) - 6e11), 60)
    assert np.mean([abs(config["n"] - 6e11) < 1e11 for config in found[30:]]) > 0.4  # at random: .2


@pytest.mark.usefixtures("never_given_up")
@pytest.mark.parametrize("exploration", [0.0, 1.0])
def test_what_has_been_tried_is_left_for_its_neighbours(exploration: float) -> None:
    values = {"type": "ordinal", "values": list(range(3))}
    optimizer = search({"parameters": dict.fromkeys("abc", values)}, exploration=exploration)
    found = studied(optimizer, lambda config: sum(float(config[name]) for name in "abc"), 27)
    assert len({tuple(config.values()) for config in found}) == 27


@pytest.mark.usefixtures("never_given_up")
def test_a_forbidden_pair_does_not_stop_the_search() -> None:
    definition = {
        "parameters": {
            "a": {"type": "categorical", "choices": ["x", "y", "z"]},
            "b": {"type": "categorical", "choices": ["p", "q", "r"]},
            "c": {"type": "float", "low": 0.0, "high": 1.0},
        },
        "forbidden": [{"a": "x", "b": "q"}],
    }
    worth = {"x": 0.0, "y": 0.5, "z": 1.0, "p": 0.0, "q": 0.2, "r": 0.4}

    def loss(config: Config) -> float:
        return worth[str(config["a"])] + worth[str(config["b"])] + float(config["c"])

    found = studied(search(definition), loss, 100)
    assert ("x", "q") not in {(config["a"], config["b"]) for config in found}
    assert np.mean([config["a"] == "x" for config in found[50:]]) > 0.5  # at random: .25


def test_a_choice_that_the_prior_excludes_is_never_suggested() -> None:
    definition = {
        "parameters": {
            "kind": {"type": "categorical", "choices": ["a", "b", "c"], "weights": [1, 1, 0]},
            "x": {"type": "float", "low": 0.0, "high": 1.0},
        }
    }
    found = studied(search(definition), lambda config: float(config["x"]), 40)
    assert {config["kind"] for config in found} == {"a", "b"}


def test_trials_without_a_parameter_say_nothing_of_it() -> None:
    """With one halving, trials with and without y share the upper half of x."""
    space = build_space(
        {
            "parameters": {
                "x": {"type": "float", "low": 0.0, "high": 1.0},
                "y": {"type": "float", "low": 0.0, "high": 1.0},
            },
            "conditions": [{"child": "y", "parent": "x", "greater": 0.7}],
        }
    )
    tried = [{"x": 0.1}, {"x": 0.6}, {"x": 0.65}, {"x": 0.9, "y": 0.2}]
    taken = Taken(space.codec.encode(tried), np.array([0.0, 1.0, 1.0, 0.9]))
    tree = ChoiceTree(space.codec, 0.0, 1)
    found = [tree.descent(taken, set(), nothing(space), np.random.default_rng(seed)) for seed in range(20)]
    with_y = [path.decisions for path in found if path is not None and len(path.decisions) > 1]
    assert with_y and set(with_y) == {(1, 1)}  # nobody has taken the upper half of y


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exploration": -1.0}, "optimizer.exploration: expected a number from 0 on"),
        ({"exploration": float("nan")}, "optimizer.exploration: expected a number from 0 on"),
        ({"halvings": 0}, "optimizer.halvings: expected 1 to 16"),
        ({"halvings": 40}, "optimizer.halvings: expected 1 to 16"),
    ],
)
def test_wrong_arguments_are_refused(space: SearchSpace, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TreeSearch(space, [Objective("loss")], 0, **arguments)
