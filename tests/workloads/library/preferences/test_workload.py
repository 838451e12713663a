"""The start of preference training, what a session reports, and a population as one program."""

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
from workloads.library.language.gpt import GPT, Memory
from workloads.library.language.rewards import pronounceable, varied
from workloads.library.language.sampling import inside, sampled
from workloads.library.preferences.losses import LOSSES
from workloads.library.preferences.rounds import Rounds
from workloads.library.preferences.start import Start, start_of
from workloads.library.preferences.workload import Preferences
from workloads.torch import TorchSession
from workloads.torch.packed.pack import Pack
from workloads.torch.packed.program import Program

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {
    "prompt": 4,
    "response": 6,
    "layers": 1,
    "heads": 2,
    "width": 8,
    "pretraining": 20,
    "lists": 24,
    "evaluated": 16,
    "batch_size": 4,
    "reward": "varied",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_text(tmp_path_factory.mktemp("text")))


@pytest.fixture
def workload(folder: str) -> Preferences:
    return Preferences(data=folder, **SMALL)


def start(workload: Preferences) -> Start:
    return start_of(workload._recipe, CPU)


def test_a_model_with_a_memory_computes_what_it_does_without() -> None:
    torch.manual_seed(0)
    model, memory = GPT(8, 2, 2, 16), Memory()
    text = torch.randint(65, (3, 8))
    parts = [model(part, memory=memory) for part in text.split([4, 1, 3], dim=1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(text))


def test_samples_follow_the_models_probabilities() -> None:
    torch.manual_seed(0)
    model = GPT(4, 1, 2, 8)
    model.output.weight.data.mul_(40)
    prompt = torch.randint(65, (1, 3))
    drawn = sampled(model, prompt.expand(20_000, 3), 1, torch.tensor(5)).flatten()
    shares = torch.bincount(drawn, minlength=65) / 20_000
    expected = torch.softmax(model(prompt)[0, -1], -1)
    assert expected.max() > 0.05
    assert (shares - expected).abs().max() < 4 * math.sqrt(0.25 / 20_000)


def test_a_response_ends_with_its_line() -> None:
    assert inside(torch.tensor([[1, 9, 2, 9], [1, 2, 3, 4], [9, 9, 1, 2]]), 9).tolist() == [
        [True, True, False, False],
        [True] * 4,
        [True, False, False, False],
    ]


def test_rewards_are_their_definitions() -> None:
    alphabet = "abei.\n"
    text = torch.tensor([[1, 0, 1, 5, 2, 1], [0, 2, 3, 4, 1, 0], [5, 1, 0, 1, 0, 1]])
    counted = inside(text, 5)
    assert pronounceable(text, counted, alphabet).tolist() == pytest.approx([2 / 3, 1 / 5, 0])
    assert varied(text, counted, alphabet).tolist() == pytest.approx([3 / 6, 5 / 6, 1 / 6])


def test_lists_are_ranked_by_the_reward_but_for_their_noise(folder: str) -> None:
    clean, noisy = (start(Preferences(data=folder, **SMALL, noise=noise)) for noise in (0.0, 1.0))
    for made in (clean, noisy):
        validation = made.judge.rewards(made.splits.validation.inputs[..., 4:])
        assert (validation.diff(dim=-1) <= 0).all()
    rewards = clean.judge.rewards(clean.splits.train.inputs[..., 4:])
    assert (rewards[:, 0] > rewards[:, -1]).all()
    assert (rewards.diff(dim=-1) <= 0).all()
    assert torch.equal(noisy.splits.train.inputs.flip(1), clean.splits.train.inputs)


def test_expectations_are_the_references(workload: Preferences) -> None:
    made = start(workload)
    lists, expected = made.splits.train
    logits = made.reference(lists[3, 2].unsqueeze(0))
    torch.testing.assert_close(expected[3, 2], torch.log_softmax(logits[0, 3:-1], -1))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_session_begins_at_the_reference_and_leaves_it(workload: Preferences, loss: str) -> None:
    session = workload.start({"loss": loss, "learning_rate": 3e-3}, 0, Device())
    first = session.advance(0)
    assert first["validation_kl"] == pytest.approx(0, abs=1e-6)
    assert first["validation_accuracy"] == 0.5
    later = session.advance(5)
    assert later["validation_kl"] > 1e-4
    assert math.isfinite(later["train_loss"])
    assert session.test().keys() == {name.replace("validation", "test") for name in first} - {"train_loss"}


def test_training_raises_the_true_reward(folder: str) -> None:
    more = {"lists": 200, "batch_size": 16, "evaluated": 64, "reward": "pronounceable"}
    workload = Preferences(data=folder, **{**SMALL, **more}, noise=0.1)
    session = workload.start({"loss": "rpo", "learning_rate": 1e-2}, 0, Device())
    before, after = session.advance(0), session.advance(60)
    assert 0.4 < before["validation_win_rate"] < 0.6 < after["validation_win_rate"]
    assert after["validation_reward"] > before["validation_reward"]
    assert after["validation_accuracy"] > 0.6


def test_own_hyperparameters_of_the_chosen_loss_alone_matter(workload: Preferences) -> None:
    def trained(**config: Any) -> float:
        return workload.start({"loss": "ipo", **config}, 0, Device()).advance(3)["train_loss"]

    assert trained(dpo_beta=0.9) == trained() != trained(ipo_beta=0.9)


def test_a_step_of_sam_is_one_step_of_a_round(folder: str) -> None:
    workload = Preferences(data=folder, **SMALL, steps=6)
    session = workload.start({"loss": "curry_dpo", "optimizer": "sam"}, 0, Device())
    session.advance(3)
    assert int(session.module.rounds.step) == 2


@pytest.mark.parametrize("loss", ["kto", "lipo", "dno", "accelerated_dpo"])
def test_members_train_as_one_program_as_they_do_alone(folder: str, loss: str) -> None:
    workload = Preferences(data=folder, **SMALL, steps=6)  # rounds of two steps

    def sessions() -> list[TorchSession]:
        configs = [{"loss": loss, "learning_rate": rate, f"{loss}_beta": 10 * rate} for rate in (1e-3, 1e-2)]
        return [TorchSession(workload, config, 3, Device(), torch.float64) for config in configs]

    together, alone = sessions(), sessions()
    found = Pack(together, Program(together[0]), None).advance(4)
    for metrics, session in zip(found, alone, strict=True):
        assert metrics == pytest.approx(session.advance(4), rel=1e-5, abs=1e-6)


def test_a_reference_moves_to_the_model_once_a_round() -> None:
    torch.manual_seed(0)
    model = GPT(4, 1, 1, 2)
    start = model.positions.detach().clone()
    rounds = Rounds(model, 1, 2, extrapolated=True)
    found = []
    for step in range(1, 7):
        number = rounds.begin_step(model, torch.tensor(0.5), torch.tensor(step))
        found.append((int(number), rounds.reference.positions - start))
        model.positions.data.add_(100)
        # Another look at the loss of the same step.
        again = rounds.begin_step(model, torch.tensor(0.5), torch.tensor(step))
        assert (int(again), float(rounds.reference.positions[0, 0])) == (
            int(number),
            float((start + found[-1][1])[0, 0]),
        )
        model.positions.data.copy_(start + step)
    ones = torch.ones(4, 2)
    # Round 0 begins with the model as it is; then the model is 3 away from the start, and at last 5.
    expected = [(-1, 0 * ones), (0, ones), (0, ones), (1, 4 * ones), (1, 4 * ones), (2, 6 * ones)]
    for (number, moved), (expected_number, expected_move) in zip(found, expected, strict=True):
        assert number == expected_number
        torch.testing.assert_close(moved, expected_move)


def test_a_curriculum_rejects_a_better_response_in_each_round(workload: Preferences) -> None:
    session = workload.start({"loss": "curry_dpo"}, 0, Device())
    lists = torch.arange(4).view(1, 4, 1).expand(2, 4, 10)
    key = torch.tensor(0)
    pairs = [session.module._learned(lists, torch.tensor(number), key)[0, :, 0] for number in range(5)]
    assert [pair.tolist() for pair in pairs] == [[0, 3], [0, 2], [0, 1], [0, 1], [0, 1]]


def test_drawn_pairs_are_the_ends_of_the_references_own_lists(folder: str) -> None:
    prompt, key = 4, torch.tensor(3)
    for noise in (0.0, 1.0):
        workload = Preferences(data=folder, **SMALL, noise=noise)
        policy = workload.start({"loss": "dno"}, 0, Device()).module
        lists = start(workload).splits.validation.inputs
        pairs = policy._learned(lists, torch.tensor(0), key)
        assert torch.equal(pairs[..., :prompt], lists[:, :2, :prompt])
        rewards = start(workload).judge.rewards(pairs[..., prompt:])
        drawn = sampled(start(workload).reference, lists[..., :prompt].flatten(0, 1), 6, key)
        every = start(workload).judge.rewards(drawn).view(len(lists), -1)
        ends = torch.stack([every.amax(-1), every.amin(-1)], -1)
        assert torch.equal(rewards, ends if noise == 0 else ends.flip(-1))


@pytest.mark.parametrize("loss", ["dpo", "lipo", "dno"])
def test_the_first_steps_can_imitate_best_responses(folder: str, loss: str) -> None:
    workload = Preferences(data=folder, **SMALL, steps=4)
    config = {"loss": loss, "supervised": 0.5, "learning_rate": 1e-2}
    session = workload.start(config, 0, Device())
    imitated = session.advance(2)
    best, expectations = (part[session.stream.batches(0, 2), 0] for part in start(workload).splits.train)
    expected = expectations.gather(-1, best[..., 4:].unsqueeze(-1)).squeeze(-1)
    counted = start(workload).judge.inside(best[..., 4:])
    first = -((expected * counted).sum(-1) / counted.sum(-1))[0].mean()
    alone = workload.start(config, 0, Device()).advance(1)
    assert alone["train_loss"] == pytest.approx(float(first), rel=1e-5)
    before = session.module.network.positions.detach().clone()
    session.advance(1)
    assert imitated["validation_kl"] > 0
    torch.testing.assert_close(session.module.rounds.reference.positions.data, before)


def test_a_rehearsal_has_no_model_to_train_first(folder: str) -> None:
    workload = Preferences(data=folder, **{**SMALL, "pretraining": 10**9, "lists": 10**9, "evaluated": 10**9})
    rehearsal = workload.rehearsal()
    assert rehearsal.start({}, 0, Device()).advance(1).keys() >= {"validation_win_rate"}
    assert workload._recipe.pretraining == 10**9


def test_every_loss_has_its_hyperparameters_in_the_space_that_ships(workload: Preferences) -> None:
    path = Path(__file__).parents[4] / "conf" / "search_space" / "preferences.yaml"
    shipped = build_space(yaml.safe_load(path.read_text()))
    assert shipped.configuration_space == workload.space.configuration_space
    assert shipped.mutable == workload.space.mutable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reward": "kind"}, "reward: expected one of"),
        ({"noise": 1.5}, "noise: expected 0 to 1, got 1.5"),
        ({"width": 10, "heads": 4}, "width: expected a multiple of heads = 4"),
        ({"heads": 0}, "heads: expected at least 1, got 0"),
        ({"list_size": 1}, "list_size: expected at least 2, got 1"),
        ({"lists": 3}, "lists: expected at least 4, got 3"),
        ({"start_seed": 2**63}, rf"start_seed: expected 0 to 2\*\*63 - 1, got {2**63}"),
    ],
)
def test_wrong_arguments_are_refused(folder: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Preferences(data=folder, **{**SMALL, **arguments})


def test_a_text_that_is_too_short_is_refused(folder: str) -> None:
    workload = Preferences(data=folder, **{**SMALL, "response": 300})
    with pytest.raises(ConfigurationError, match="response: expected below 296"):
        workload.start({}, 0, Device())
