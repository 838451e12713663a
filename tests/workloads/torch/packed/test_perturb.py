"""Weights that are shrunk and perturbed: exactly by the formula, in the loop and in a pack."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from tests.workloads.contract import same
from tests.workloads.torch.packed.cases import CASES
from tests.workloads.torch.regression import Regression
from workloads.capabilities import PerturbableSession
from workloads.contract import Device
from workloads.torch import TorchSession
from workloads.torch.packed import Pack, Program

CONFIG = {"learning_rate": 0.01, "dropout": 0.2, "width": 5}


def trained(seed: int = 0) -> TorchSession:
    session = TorchSession(Regression(), CONFIG, seed, Device())
    session.advance(9)
    return session


def test_weights_are_the_formula_statistics_start_anew_and_the_rest_stays() -> None:
    session = trained()
    before = copy.deepcopy(session.state())
    session.perturb(0.2, 0.1, 7)
    after, fresh = session.state(), Regression().build(CONFIG, 7)
    assert isinstance(session, PerturbableSession)
    for name, new in fresh.named_parameters():
        assert torch.equal(after["model"][name], 0.2 * before["model"][name] + 0.1 * new.detach())
    for name, new in fresh.named_buffers():
        assert torch.equal(after["model"][name], new)
        assert not torch.equal(before["model"][name], new)
    assert (after["age"], same(after["optimizer"], before["optimizer"])) == (9, True)


def test_weights_that_have_diverged_can_be_dropped() -> None:
    session = trained()
    for weight in session.weights.values():
        weight.data.fill_(torch.inf)
    session.perturb(0.0, 1.0, 7)
    fresh = dict(Regression().build(CONFIG, 7).named_parameters())
    assert all(torch.equal(weight, fresh[name]) for name, weight in session.weights.items())


@pytest.mark.parametrize("name", ["cnn_batch_norm", "mlp_sgd", "batch_norm_regression"])
def test_a_member_of_a_pack_is_perturbed_as_one_that_trains_alone(name: str, text: Path) -> None:
    alone, together = (CASES[name].sessions(text, torch.float64, members=3) for _ in range(2))
    pack = Pack(together, Program(together[0]))
    for session in alone:
        session.advance(5)
    pack.advance(5)
    for sessions in (alone, together):
        sessions[1].perturb(0.2, 0.1, 7)
    for session in alone:
        session.advance(5)
    pack.advance(5)
    assert pack.fallback is None
    for one, other in zip(alone, together, strict=True):
        theirs = other.module.state_dict()
        for key, value in one.module.state_dict().items():
            torch.testing.assert_close(theirs[key], value, rtol=0, atol=1e-9)
