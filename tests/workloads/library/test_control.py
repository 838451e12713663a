"""Control problems against Gymnasium's own, and an agent against what is known of PPO."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from orchestrator import pareto
from search_spaces import ConfigurationError, build_space
from workloads import Device
from workloads.library.control import ppo
from workloads.library.control.environments import ENVIRONMENTS, Environment
from workloads.library.control.front import ControlFront, efficient, share_dominated
from workloads.library.control.workload import Control

NAMES = {"cartpole": "CartPole-v1", "acrobot": "Acrobot-v1", "pendulum": "Pendulum-v1"}
RULES = ppo.Rules(clip=0.2, entropy=0.0, discount=0.9, gae_lambda=0.8, epochs=1, batches=1)


@pytest.mark.parametrize("name", NAMES)
def test_each_step_is_gymnasiums(name: str) -> None:
    gymnasium = pytest.importorskip("gymnasium")
    theirs, ours = gymnasium.make(NAMES[name]).unwrapped, ENVIRONMENTS[name]()
    rng = np.random.default_rng(0)
    for _ in range(20):
        theirs.reset(seed=int(rng.integers(1000)))
        state = ours.reset(1, rng)
        for _ in range(30):
            theirs.state, theirs.steps_beyond_terminated = state[0].copy(), None
            action = _action(ours, rng)
            seen, reward, ended, _, _ = theirs.step(action[0])
            state, parts, over = ours.step(state, action)
            assert ours.observe(state)[0] == pytest.approx(seen, rel=1e-5, abs=1e-5)
            assert parts.sum() == pytest.approx(reward, rel=1e-6)
            assert bool(over[0]) == ended
            if ended:
                break


@pytest.mark.parametrize("name", NAMES)
def test_horizons_and_actions_are_gymnasiums(name: str) -> None:
    gymnasium = pytest.importorskip("gymnasium")
    theirs, ours = gymnasium.make(NAMES[name]), ENVIRONMENTS[name]()
    assert theirs.spec.max_episode_steps == ours.horizon
    assert theirs.observation_space.shape == (ours.observations,)
    discrete = getattr(theirs.action_space, "n", None)
    assert (None if discrete is None else int(discrete)) == ours.choices


@pytest.mark.parametrize("name", NAMES)
def test_episodes_do_not_depend_on_those_beside_them(name: str) -> None:
    environment, rng = ENVIRONMENTS[name](), np.random.default_rng(1)
    state = environment.reset(5, rng)
    action = np.concatenate([_action(environment, rng) for _ in range(5)])
    together = environment.step(state, action)
    for row in range(5):
        alone = environment.step(state[row : row + 1], action[row : row + 1])
        for all_, one in zip(together, alone, strict=True):
            assert np.array_equal(all_[row], one[0])


def _action(environment: Environment, rng: np.random.Generator) -> Any:
    """Of one episode; a continuous one may be beyond its limit."""
    if environment.choices is None:
        return rng.uniform(-3, 3, (1, environment.dimension))
    return rng.integers(environment.choices, size=1)


def test_advantages_sum_surprises_up_to_the_end_of_an_episode() -> None:
    rewards, values = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[0.5], [0.25], [1.0]])
    ends, last = torch.tensor([[0.0], [1.0], [0.0]]), torch.tensor([4.0])
    found = ppo.estimate(rewards, ends, values, last, RULES).squeeze(1).tolist()
    second = 2 - 0.25
    assert found == pytest.approx([1 + 0.9 * 0.25 - 0.5 + 0.9 * 0.8 * second, second, 3 + 0.9 * 4 - 1])


def test_an_agent_learns_to_balance_the_pole() -> None:
    session = Control(environments=8, steps=32, evaluated=4).start({"learning_rate": 3e-3}, 0, Device())
    before = session.advance(0)["reward"]
    best = max(session.advance(3)["reward"] for _ in range(5))
    assert before < 100 < best


def test_the_reward_of_the_pendulum_is_the_sum_of_its_parts() -> None:
    metrics = Control(environment="pendulum", evaluated=3).start({}, 0, Device()).advance(0)
    assert metrics["reward"] == pytest.approx(metrics["balance"] + metrics["effort"])
    assert metrics["effort"] < 0


def test_held_out_episodes_are_others() -> None:
    session = Control(evaluated=4).start({}, 0, Device())
    assert session.test().keys() == {"test_reward"}
    assert session.test()["test_reward"] != session.advance(0)["reward"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"environment": "cart"}, "environment: expected one of"),
        ({"steps": 0}, "steps: expected at least 2 steps for each of 4 batches"),
        ({"evaluated": 0}, "evaluated: expected at least 1, got 0"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Control(**arguments)


def test_a_parameter_that_it_does_not_have_is_refused() -> None:
    space = build_space({"parameters": {"epsilon": {"type": "float", "low": 0, "high": 1}}})
    with pytest.raises(ConfigurationError, match="epsilon: expected a parameter of the workload"):
        Control(space)


SMALL: dict[str, Any] = {"environments": 2, "steps": 4, "batches": 1, "evaluated": 2}


def test_a_front_covers_a_share_of_its_box() -> None:
    reference = np.array([-10.0, -4.0])
    # Rectangles of 8 x 1 and of 5 x (3 - 1); the third is dominated, the last lies outside of the box.
    points = np.array([[-2.0, -3.0], [-5.0, -1.0], [-6.0, -2.0], [-1.0, -9.0]])
    assert share_dominated(points, reference) == pytest.approx((8 + 5 * 2) / 40)
    assert efficient(points).tolist() == [[-1.0, -9.0], [-2.0, -3.0], [-5.0, -1.0]]
    assert share_dominated(np.array([[-11.0, -1.0]]), reference) == 0.0
    assert share_dominated(np.zeros((2, 2)), reference) == 1.0


def test_a_fronts_volume_is_that_of_searches() -> None:
    rng, reference = np.random.default_rng(5), np.array([-1.0, -2.0])
    for count in (1, 2, 7):
        points = -2.5 * rng.random((count, 2))
        points[count // 2] = points[0]  # agents may be equal
        volume = pareto.hypervolume(-points, -reference)
        assert share_dominated(points, reference) == pytest.approx(volume / 2)
        assert len(efficient(points)) == len(np.unique(points[pareto.nondominated(-points)], axis=0))


def test_each_agent_of_a_front_learns_for_its_own_weight() -> None:
    config = {"learning_rate": 1e-2, "width": 8}
    front = ControlFront(effort_weights=[0.0, 1e4], **SMALL).start(config, 1, Device())
    metrics = front.advance(2)
    first, second = front.state()["agents"]
    assert metrics["efficient"] in (1.0, 2.0) and 0 <= metrics["hypervolume"] <= 1
    # Alone, with the same seed and weight, an agent learns the same.
    alone = ControlFront(effort_weights=[0.0], **SMALL).start(config, 1, Device())
    alone.advance(2)
    (own,) = alone.state()["agents"]
    assert all(torch.equal(own["model"][name], weight) for name, weight in first["model"].items())
    assert not all(torch.equal(second["model"][name], weight) for name, weight in first["model"].items())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"effort_weights": []}, "effort_weights: expected at least one number from 0 on"),
        ({"effort_weights": [-1]}, "effort_weights: expected at least one number from 0 on"),
        ({"reference": [-1]}, "reference: expected a negative number for each of balance and effort"),
        ({"reference": [-1, 0]}, "reference: expected a negative number for each of balance and effort"),
        ({"rollouts": 0}, "rollouts: expected at least 1"),
    ],
)
def test_a_front_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ControlFront(**wrong)
