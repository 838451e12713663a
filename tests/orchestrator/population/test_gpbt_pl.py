from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.gpbt_pl import GpbtPl, velocities
from orchestrator.population.past import Setting
from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from tests.orchestrator.population.method_contract import publish
from workloads.contract import Objective

LOSS = (Objective("loss0"),)
SPACE = build_space({"parameters": {"x": {"type": "float", "low": 0.0, "high": 10.0, "mutable": True}}})
LEARN = GpbtPl(resample_probability=0.0)


def population(method: GpbtPl, born: list[Config], *, space: SearchSpace = SPACE, seed: int = 0) -> Evolution:
    return Evolution(space, LOSS, method, size=len(born), generations=20, seed=seed, initial=born)


def after(evolution: Evolution, generation: int, losses: list[float]) -> list[Config]:
    """What everybody goes on with."""
    return [one.next_config for one in publish(evolution, generation, np.array(losses)[:, None])]


def first_lessons(method: GpbtPl, n: int = 200) -> np.ndarray:
    """The x of a loser at 2 after its first lesson from a winner at 6, over seeds."""
    born: list[Config] = [{"x": 6.0}, {"x": 2.0}]
    return np.array([after(population(method, born, seed=seed), 1, [0, 1])[1]["x"] for seed in range(n)])


def test_the_first_lesson_is_a_uniform_part_of_the_way_to_the_winner() -> None:
    learned = first_lessons(LEARN)
    assert learned.min() >= 2 and learned.max() <= 6
    assert learned.mean() == pytest.approx(4.0, abs=0.3)
    assert learned.std() == pytest.approx(4 / np.sqrt(12), abs=0.15)


def test_attraction_weighs_the_difference() -> None:
    np.testing.assert_allclose(first_lessons(GpbtPl(resample_probability=0.0, attraction=0.0)), 2.0)
    assert first_lessons(GpbtPl(resample_probability=0.0, attraction=2.0)).max() > 8


def test_the_velocity_before_is_what_the_last_lesson_changed() -> None:
    """Without attraction what remains is a uniform part of it; intervals in between do not matter."""
    steps = []
    for seed in range(100):
        evolution = population(LEARN, [{"x": 6.0}, {"x": 2.0}], seed=seed)
        learned = after(evolution, 1, [0, 1])[1]["x"]
        after(evolution, 2, [1, 0])
        change = learned - 2.0
        assert velocities(np.array([1]), evolution.past)[0, 0] == pytest.approx(change / 10)
        evolution.method = GpbtPl(resample_probability=0.0, attraction=0.0)
        before = evolution.config(1)["x"]
        steps.append((after(evolution, 3, [0, 1])[1]["x"] - before) / change)
    assert min(steps) >= 0 and max(steps) <= 1
    assert np.mean(steps) == pytest.approx(0.5, abs=0.1)


def test_without_inertia_nothing_is_carried_on() -> None:
    evolution = population(LEARN, [{"x": 6.0}, {"x": 2.0}])
    learned = after(evolution, 1, [0, 1])[1]["x"]
    evolution.method = GpbtPl(resample_probability=0.0, inertia=0.0, attraction=0.0)
    assert after(evolution, 2, [0, 1])[1]["x"] == pytest.approx(learned)


def test_velocities_of_everybody() -> None:
    evolution = population(LEARN, [{"x": 6.0}, {"x": 2.0}, {"x": 4.0}, {"x": 5.0}])
    learned = after(evolution, 1, [0, 3, 1, 2])[1]["x"]
    after(evolution, 2, [0, 1, 2, 3])
    after(evolution, 3, [0, 1, 2, 3])
    found = velocities(np.arange(4), evolution.past)[:, 0]
    assert found[1] == pytest.approx((learned - 2.0) / 10)
    latest, previous = evolution.lives[3][-1].config["x"], evolution.lives[3][-2].config["x"]
    assert found[3] == pytest.approx((latest - previous) / 10)
    assert (found[[0, 2]] == 0).all()


def test_a_member_that_started_afresh_has_learned_nothing() -> None:
    evolution = population(LEARN, [{"x": 6.0}, {"x": 2.0}])
    after(evolution, 1, [0, 1])
    after(evolution, 2, [np.nan, np.nan])
    after(evolution, 3, [0, 0])
    assert (velocities(np.arange(2), evolution.past) == 0).all()


def test_losers_take_the_weights_and_what_is_fixed_at_birth() -> None:
    parameters = {
        "x": {"type": "float", "low": 0.0, "high": 10.0, "mutable": True},
        "width": {"type": "int", "low": 1, "high": 9},
    }
    evolution = population(
        LEARN, [{"x": 6.0, "width": 3}, {"x": 2.0, "width": 7}], space=build_space({"parameters": parameters})
    )
    (best, worst) = publish(evolution, 1, np.array([[0.0], [1.0]]))
    assert (best.parent, worst.parent) == (0, 0)
    assert worst.next_config["width"] == 3


def test_learning_ends_at_the_bounds() -> None:
    learned = first_lessons(GpbtPl(resample_probability=0.0, attraction=50.0))
    assert learned.max() == 10.0


def test_log_parameters_are_learned_in_their_logarithm() -> None:
    log = {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "mutable": True}
    space = build_space({"parameters": {"x": log}})
    drawn = [
        after(population(LEARN, [{"x": 1e-1}, {"x": 1e-3}], space=space, seed=seed), 1, [0, 1])[1]["x"]
        for seed in range(100)
    ]
    assert np.log10(drawn).mean() == pytest.approx(-2, abs=0.2)


def test_an_ordinal_goes_next_to_the_winner_and_a_categorical_is_the_winners() -> None:
    parameters = {
        "size": {"type": "ordinal", "values": [1, 2, 3, 4, 5], "mutable": True},
        "kind": {"type": "categorical", "choices": ["a", "b"], "mutable": True},
    }
    space = build_space({"parameters": parameters})
    born: list[Config] = [{"size": 4, "kind": "a"}, {"size": 1, "kind": "b"}]
    found = [after(population(LEARN, born, space=space, seed=seed), 1, [0, 1])[1] for seed in range(20)]
    assert {one["size"] for one in found} == {3, 5}
    assert {one["kind"] for one in found} == {"a"}


def test_redraws_with_its_probability() -> None:
    learned = first_lessons(GpbtPl(attraction=0.0), 400)
    assert np.mean(np.abs(learned - 2.0) > 1e-9) == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize(
    ("key", "value"),
    [("quantile", 0), ("resample_probability", 2), ("inertia", -1), ("attraction", None), ("inertia", True)],
)
def test_refuses(key: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        GpbtPl(**{key: value})
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        (Setting(SPACE, (*LOSS, Objective("other")), 8, 9), ""),
        (Setting(SPACE, LOSS, 1, 9), "population.size"),
        (Setting(SPACE, (Objective("loss", bound=1.0),), 8, 9), "objectives.loss.bound"),
    ],
)
def test_refuses_studies(setting: Setting, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        GpbtPl().serves(setting)
    assert caught.value.key == key
