"""Advantages by hand, what training learns, and a population as one program."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from search_spaces import ConfigurationError, build_space
from tests.workloads.torch.packed.cases import write_text
from workloads.contract import Device
from workloads.library import several_rewards
from workloads.library.language.rewards import brief, ended
from workloads.library.language.sampling import inside
from workloads.library.reward_updates import Drawn, grpo, modpo, of_each, of_the_least, of_the_sum
from workloads.library.several_rewards import NAMES, SeveralRewards
from workloads.torch import TorchSession
from workloads.torch.packed.pack import Pack
from workloads.torch.packed.program import Program

SMALL: dict[str, Any] = {
    "prompt": 4,
    "response": 6,
    "layers": 1,
    "heads": 2,
    "width": 8,
    "pretraining": 20,
    "prompts": 24,
    "evaluated": 16,
    "batch_size": 4,
    "group": 3,
}


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> SeveralRewards:
    return SeveralRewards(data=str(write_text(tmp_path_factory.mktemp("text"))), **SMALL)


def test_rewards_are_their_definitions() -> None:
    alphabet = "ab\n"
    text = torch.tensor([[0, 2, 1, 1], [0, 1, 0, 1], [2, 2, 2, 2]])
    counted = inside(text, 2)
    assert ended(text, counted, alphabet).tolist() == [1, 0, 1]
    assert brief(text, counted, alphabet).tolist() == [0.5, 0, 0.75]


def test_advantages_are_their_formulas() -> None:
    # One prompt, two responses, two rewards: the second varies ten times as much, the other way.
    rewards = torch.tensor([[[1.0, 0.0], [0.0, 10.0]]])
    weights = torch.tensor([1.0, 0.5])
    # The sums are 1 and 5: two from their mean, which is their deviation too.
    assert of_the_sum(rewards, weights)[0].tolist() == pytest.approx([-1, 1], abs=1e-3)
    assert of_each(rewards, weights)[0].tolist() == pytest.approx([1 - 0.5, -1 + 0.5], abs=1e-3)


def test_pamas_advantage_is_the_least_and_never_negative() -> None:
    # Of three responses the first is best in both rewards, the others in one or none.
    rewards = torch.tensor([[[3.0, 2.0], [0.0, 2.0], [0.0, 0.0]]])
    found = of_the_least(rewards, torch.tensor([5.0, 0.0]))[0]
    # The first reward: mean 1, deviation sqrt 2; the second: mean 4/3, deviation sqrt(8/9).
    assert found.tolist() == pytest.approx([(2 / 3) / (8 / 9) ** 0.5, 0, 0], abs=1e-3)
    # It is the projection of zero onto the span of the clipped advantages, whatever the weights.
    assert torch.equal(found, of_the_least(rewards, torch.ones(2))[0])


def drawn(rewards: list[list[list[float]]], policy: list[list[float]], expected: float) -> Drawn:
    chances = torch.tensor(policy, dtype=torch.float64)
    counted = torch.ones_like(chances, dtype=torch.bool)
    counted[:, 1] = torch.tensor([True, False])  # the second response has one character
    return Drawn(torch.tensor(rewards, dtype=torch.float64), counted, chances, chances * 0 + expected)


def test_grpo_and_modpo_are_their_formulas() -> None:
    # One prompt, two responses, two rewards; log-probabilities by hand, the reference's all -1.
    found = drawn([[[1.0, 0.0], [0.0, 0.5]]], [[-0.5, -1.5], [-2.0, -9.0]], -1.0)
    beta, weights = torch.tensor(0.1, dtype=torch.float64), torch.tensor([3.0, 1.0], dtype=torch.float64)

    def divergence(apart: float) -> float:
        return math.exp(apart) - apart - 1

    first = (0.1 * divergence(-0.5) - 0.7 + 0.1 * divergence(0.5) - 0.7) / 2
    second = 0.1 * divergence(1.0) + 0.7
    advantages = torch.tensor([[0.7, -0.7]], dtype=torch.float64)
    assert float(grpo(found, advantages, beta)) == pytest.approx((first + second) / 2)
    # The log-ratios are 0.5 - 0.5 = 0 and -1; the shares 3/4 and 1/4; the other reward's gap is -0.5.
    logit = (0.1 * (0.0 + 1.0) - 0.25 * -0.5) / 0.75
    assert float(modpo(found, weights, beta, 0)) == pytest.approx(math.log1p(math.exp(-logit)), abs=1e-3)
    # By the second reward the pair is the other way round, and the first is the margin.
    logit = (0.1 * (-1.0 - 0.0) - 0.75 * -1.0) / 0.25
    assert float(modpo(found, weights, beta, 1)) == pytest.approx(math.log1p(math.exp(-logit)), abs=1e-3)


def test_the_update_that_does_not_count_spoils_nothing(
    workload: SeveralRewards, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beyond(drawn: Drawn, advantages: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        return (drawn.policy * 1e30).exp().sum() * math.inf

    monkeypatch.setattr(several_rewards, "grpo", beyond)
    session = workload.start({"update": "modpo", "beta": 0.1}, 0, Device())
    session.advance(2)
    assert all(weight.isfinite().all() for weight in session.weights.values())


def test_modpo_learns_nothing_from_equals() -> None:
    found = drawn([[[1.0, 0.0], [1.0, 0.5]]], [[-0.5, -1.5], [-2.0, -9.0]], -1.0)
    assert float(modpo(found, torch.ones(2), torch.tensor(0.1), 0)) == 0


@pytest.mark.parametrize("way", [of_the_sum, of_each, of_the_least])
def test_a_group_of_equals_teaches_nothing(way: Any) -> None:
    assert way(torch.full((2, 3, 2), 0.3), torch.ones(2)).abs().max() < 1e-3


def test_a_session_begins_at_the_reference(workload: SeveralRewards) -> None:
    session = workload.start({}, 0, Device())
    first = session.advance(0)
    assert first["validation_kl"] == pytest.approx(0, abs=1e-6)
    assert all(0 <= first[f"validation_{name}"] <= 1 for name in NAMES)
    later = session.advance(3)
    assert later["validation_kl"] > 1e-4
    assert session.test().keys() == {name.replace("validation", "test") for name in first} - {"train_loss"}


@pytest.mark.parametrize("changes", [{}, {"advantages": "each"}, {"update": "modpo", "beta": 0.1}])
def test_the_reward_that_counts_grows(workload: SeveralRewards, changes: dict[str, Any]) -> None:
    weights = {"ended_weight": 0.0, "pronounceable_weight": 1.0, "brief_weight": 0.0}
    config = {**weights, "learning_rate": 1e-2, "beta": 0.0, **changes}
    session = workload.start(config, 0, Device())
    before, after = session.advance(0), session.advance(40)
    assert after["validation_pronounceable"] > before["validation_pronounceable"] + 0.03


def test_members_train_as_one_program_as_they_do_alone(workload: SeveralRewards) -> None:
    def sessions() -> list[TorchSession]:
        configs = [
            {"learning_rate": 3e-3, "brief_weight": 0.1},
            {"advantages": "each", "beta": 0.1, "gain": 2.0},
            {"update": "modpo", "beta": 0.1},
        ]
        return [TorchSession(workload, config, 3, Device(), torch.float64) for config in configs]

    together, alone = sessions(), sessions()
    found = Pack(together, Program(together[0]), None).advance(3)
    for metrics, session in zip(found, alone, strict=True):
        assert metrics == pytest.approx(session.advance(3), rel=1e-5, abs=1e-6)


def test_a_rehearsal_has_no_model_to_train_first(workload: SeveralRewards) -> None:
    rehearsal = workload.rehearsal()
    assert rehearsal._recipe.pretraining == 0
    assert math.isfinite(rehearsal.start({}, 0, Device()).advance(1)["train_loss"])


def test_the_space_that_ships_is_the_workloads_own(workload: SeveralRewards) -> None:
    path = Path(__file__).parents[3] / "conf" / "search_space" / "several_rewards.yaml"
    shipped = build_space(yaml.safe_load(path.read_text()))
    assert shipped.configuration_space == workload.space.configuration_space
    assert shipped.mutable == workload.space.mutable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"group": 1}, "group: expected at least 2, got 1"),
        ({"prompts": 3}, "prompts: expected at least 4, got 3"),
        ({"start_seed": -1}, "start_seed: expected 0 to"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SeveralRewards(data="python", **{**SMALL, **arguments})
