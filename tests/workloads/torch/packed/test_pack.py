"""What a pack of sessions lets them do, together and alone, and what becomes of it when it fails."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search_spaces import Config
from tests.workloads.contract import same
from tests.workloads.torch.packed.cases import CASES
from tests.workloads.torch.regression import Regression
from workloads.contract import Device
from workloads.state_files import load_state, save_state
from workloads.torch import TorchSession
from workloads.torch.packed import Pack, Packer, Program
from workloads.torch.packed.equivalence import find_obstacle

CONFIGS: list[Config] = [{"dropout": 0.1 * i, "learning_rate": 0.01 * (i + 1)} for i in range(4)]


def sessions(workload: Regression | None = None, dtype: torch.dtype = torch.float64) -> list[TorchSession]:
    workload = workload or Regression()
    return [TorchSession(workload, config, i, Device(), dtype) for i, config in enumerate(CONFIGS)]


def pack_of(members: list[TorchSession], chunk: int | None = None) -> Pack:
    return Pack(members, Program(members[0]), chunk)


@pytest.mark.parametrize("name", ["mlp_sgd", "mlp_lion", "cnn_batch_norm", "gpt"])
def test_states_pass_between_engines_and_through_files(name: str, text: Path, tmp_path: Path) -> None:
    alone, together = (CASES[name].sessions(text, torch.float64, members=3) for _ in range(2))
    pack = pack_of(together)
    pack.advance(7)
    save_state(tmp_path / "member.pt", together[1].state())
    alone[1].load(load_state(tmp_path / "member.pt"))
    assert same(alone[1].state(), together[1].state())
    expected = alone[1].advance(6)
    pack.advance(6)
    for name_, weight in alone[1].weights.items():
        torch.testing.assert_close(together[1].weights[name_], weight, rtol=0, atol=1e-10)
    together[0].load(alone[1].state())
    assert together[0].age == 13
    together[0].configure(alone[1].config)
    assert together[0].advance(0) == pytest.approx({**expected, "train_loss": float("nan")}, nan_ok=True)


def test_a_state_is_independent_of_later_training() -> None:
    members = sessions()
    pack = pack_of(members)
    pack.advance(2)
    state = members[0].state()
    before = copy.deepcopy(state)
    pack.advance(2)
    assert same(state, before)


def test_a_session_trains_alone_between_turns_of_its_pack() -> None:
    members, reference = sessions(), sessions()
    pack = pack_of(members)
    for one, other in zip(members, reference, strict=True):
        one.advance(3)
        other.advance(6)
    pack.advance(3)
    for one, other in zip(members, reference, strict=True):
        for name, weight in other.weights.items():
            torch.testing.assert_close(one.weights[name], weight, rtol=0, atol=1e-12)


def test_a_session_can_leave_for_another_pack() -> None:
    members, reference = sessions(), sessions()
    pack_of(members).advance(2)
    pack_of(members[1:3]).advance(2)
    for other in reference[1:3]:
        other.advance(4)
    for one, other in zip(members[1:3], reference[1:3], strict=True):
        for name, weight in other.weights.items():
            torch.testing.assert_close(one.weights[name], weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("chunk", "sizes"), [(None, (4,)), (4, (4,)), (3, (2, 2)), (1, (1, 1, 1, 1))])
def test_chunks_are_as_equal_as_can_be(chunk: int | None, sizes: tuple[int, ...]) -> None:
    assert pack_of(sessions(), chunk).sizes == sizes


class Breaking(Regression):
    """Raises in the middle of an interval when it is computed for several members at once."""

    calls = 0

    def loss(self, model: Any, batch: Any, hyperparameters: Any, key: Tensor) -> Tensor:
        loss = super().loss(model, batch, hyperparameters, key)
        if torch._C._functorch.is_functorch_wrapped_tensor(key):
            self.calls += 1
            if self.calls == 4:
                raise RuntimeError("out of luck\nand of lines")
        return loss


def test_a_pack_that_fails_goes_on_alone_from_where_it_was() -> None:
    members, reference = sessions(Breaking()), sessions()
    pack = pack_of(members, chunk=2)
    found = pack.advance(6)
    assert pack.fallback == "RuntimeError: out of luck"
    for session, result, other in zip(members, found, reference, strict=True):
        expected = other.advance(6)
        assert not isinstance(result, Exception)
        assert result == pytest.approx(expected, rel=1e-9)
        assert session.age == 6
    assert pack.advance(1)[0] == pytest.approx(reference[0].advance(1), rel=1e-9)


def test_a_member_that_raises_alone_takes_nobody_with_it() -> None:
    members = sessions(Breaking())
    pack = pack_of(members)

    def fail(amount: int) -> None:
        raise ValueError("no more")

    members[2].advance = fail  # type: ignore[method-assign, assignment]
    results = pack.advance(6)
    assert [isinstance(result, Exception) for result in results] == [False, False, True, False]


class Recurrent(Regression):
    def module(self, config: Config) -> nn.Module:
        return LSTM()


class LSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(4, 3, batch_first=True)
        self.output = nn.Linear(3, 1)

    def forward(self, inputs: Tensor, probability: Any = None, key: Any = None) -> Tensor:
        features, _ = self.cell(inputs.unsqueeze(1))
        outputs: Tensor = self.output(features[:, -1]).squeeze(-1)
        return outputs


class Deciding(Regression):
    def loss(self, model: Any, batch: Any, hyperparameters: Any, key: Tensor) -> Tensor:
        loss = super().loss(model, batch, hyperparameters, key)
        return 2 * loss if loss > 1 else loss


class Unseeded(Regression):
    def loss(self, model: Any, batch: Any, hyperparameters: Any, key: Tensor) -> Tensor:
        return super().loss(model, batch, hyperparameters, key) * torch.rand(())


class Remembering(Regression):
    """Keeps something outside the model that members must not share."""

    steps = 0

    def loss(self, model: Any, batch: Any, hyperparameters: Any, key: Tensor) -> Tensor:
        self.steps += 1
        return super().loss(model, batch, hyperparameters, key) * self.steps


@pytest.mark.parametrize(
    ("workload", "obstacle"),
    [
        (Recurrent(), "lstm"),
        (Deciding(), "data-dependent control flow"),
        (Unseeded(), "random"),
        (Remembering(), r"differs from training alone after \d steps"),
    ],
)
def test_what_cannot_be_packed_is_named_in_one_line(workload: Regression, obstacle: str) -> None:
    found = find_obstacle(workload, CONFIGS[:2], Device())
    assert found is not None and "\n" not in found
    assert re.search(obstacle, found, re.IGNORECASE), found


@pytest.mark.parametrize("name", CASES)
def test_what_ships_can_be_packed(name: str, text: Path) -> None:
    case = CASES[name]
    assert find_obstacle(case.make(text), [case.config(0), case.config(1)], Device()) is None


def test_a_packer_makes_packs_of_whatever_members_there_are() -> None:
    members = sessions(dtype=torch.float32)
    packer = Packer("packed", Device())
    assert len(packer.pack(members).advance(2)) == 4
    assert len(packer.pack(members[:3]).advance(2)) == 3
    assert [session.age for session in members] == [4, 4, 4, 2]


@pytest.mark.slow
def test_compiled_equals_eager_and_other_sizes_are_not_compiled() -> None:
    members, reference = (sessions(dtype=torch.float32) for _ in range(2))
    packer = Packer("compiled", Device())
    together = packer.pack(members)
    expected = pack_of(reference)
    for _ in range(2):
        together.copy([0, 1], [1, 2])
        expected.copy([0, 1], [1, 2])
        together.advance(4)
        expected.advance(4)
    assert together.fallback is None
    frames = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert frames >= 1
    packer.pack(members[:3]).advance(2)
    pack_of(reference[:3]).advance(2)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == frames
    for one, other in zip(members, reference, strict=True):
        for name, weight in other.weights.items():
            torch.testing.assert_close(one.weights[name], weight, rtol=1e-4, atol=1e-5)


def test_a_build_that_raises_is_not_packed() -> None:
    """Whatever it raises: alone, it is its member's failure, and no other's."""

    class Unlucky(Regression):
        def loss(self, *_: Any) -> Tensor:
            raise KeyError("out of luck")

    members = [TorchSession(Unlucky(), {}, seed, Device()) for seed in (0, 1)]
    with pytest.raises(RuntimeError, match="this build cannot be packed: KeyError: 'out of luck'"):
        Packer("packed", Device()).pack(members)
