from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from search_spaces import ConfigurationError
from tests.workloads.contract import same
from tests.workloads.torch.regression import Regression
from workloads import Device
from workloads.torch import TorchSession
from workloads.torch.stream import BatchStream

CONFIG = {"learning_rate": 0.01, "dropout": 0.2, "width": 5}


def session(seed: int = 0, **changes: Any) -> TorchSession:
    return TorchSession(Regression(), {**CONFIG, **changes}, seed, Device())


def test_goes_on_exactly_across_epochs_and_blocks_of_steps() -> None:
    whole, resumed = session(), session()
    first = session()
    whole.advance(300)
    first.advance(149)
    resumed.load(first.state())
    resumed.advance(151)
    assert same(resumed.state(), whole.state())


def test_equals_a_plain_loop_over_adamw() -> None:
    trained = session(dropout=0.0, weight_decay=0.1)
    trained.advance(40)

    workload = Regression()
    module = workload.build({**CONFIG}, 0)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01, weight_decay=0.1)
    train = workload.data(torch.device("cpu")).train
    for rows in BatchStream(30, 7, 0).batches(0, 40):
        optimizer.zero_grad()
        (module(train.inputs[rows]) - train.targets[rows]).square().mean().backward()
        optimizer.step()
    assert same(trained.state()["model"], dict(module.state_dict()))


def test_a_receiver_keeps_its_own_randomness() -> None:
    donor, receiver = session(0), session(1)
    donor.advance(5)
    receiver.load(donor.state())
    assert same(receiver.state(), donor.state())
    assert receiver.advance(5) != donor.advance(5)


def test_a_receiver_keeps_its_own_optimizer_settings() -> None:
    donor, still = session(), session(learning_rate=0.0)
    donor.advance(5)
    still.load(donor.state())
    weights = {name: value for name, value in still.state()["model"].items() if "norm." not in name}
    still.advance(5)
    assert all(torch.equal(still.state()["model"][name], value) for name, value in weights.items())


@pytest.mark.parametrize("change", [{"learning_rate": 0.1}, {"weight_decay": 0.5}, {"dropout": 0.6}])
def test_each_mutable_hyperparameter_takes_effect_at_once(change: dict[str, Any]) -> None:
    changed, born_so, untouched = session(), session(**change), session()
    for one in (changed, born_so, untouched):
        one.advance(3)
    born_so.load(untouched.state())
    changed.configure({**CONFIG, **change})
    expected = born_so.advance(1)
    assert changed.advance(1) == expected
    assert untouched.advance(1) != expected


def test_configuring_ignores_what_is_fixed() -> None:
    one = session()
    one.configure({**CONFIG, "width": 9})
    assert one.state()["model"]["output.weight"].shape == (1, 5)


def test_a_hyperparameter_that_becomes_inactive_takes_its_default() -> None:
    without = {name: value for name, value in CONFIG.items() if name != "dropout"}
    one = session(dropout=0.6)
    one.configure(without)
    assert one.config == TorchSession(Regression(), without, 0, Device()).config


def test_a_value_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"dropout: expected a number from 0 to 0\.9, got 1\.5"):
        session().configure({"dropout": 1.5})


def test_divergence_is_reported_and_no_error() -> None:
    metrics = session(learning_rate=1e30).advance(20)
    assert not math.isfinite(metrics["validation_loss"])
    assert not math.isfinite(metrics["train_loss"])


def test_train_loss_is_the_mean_over_the_interval() -> None:
    whole, parts = session(), session()
    losses = [parts.advance(1)["train_loss"] for _ in range(8)]
    assert whole.advance(8)["train_loss"] == pytest.approx(sum(losses) / 8, rel=1e-6)


def test_evaluating_without_training() -> None:
    one = session()
    before = one.state()
    metrics = one.advance(0)
    assert math.isfinite(metrics["validation_loss"])
    assert math.isnan(metrics["train_loss"])
    assert same(one.state(), before)


def test_seeds_give_different_weights() -> None:
    assert not same(session(0).state(), session(1).state())


def test_the_state_names_every_moment_by_its_weight() -> None:
    one = session()
    one.advance(1)
    state = one.state()
    assert state["age"] == 1
    assert {"norm.running_mean", "norm.running_var", "hidden.weight"} <= state["model"].keys()
    assert state["optimizer"]["hidden.weight"].keys() == {"exp_avg", "exp_avg_sq"}
    assert state["optimizer"].keys() <= state["model"].keys()


def test_trains_in_double_precision() -> None:
    one = TorchSession(Regression(), CONFIG, 0, Device(), dtype=torch.float64)
    expected = session().advance(3)["validation_loss"]
    assert one.advance(3)["validation_loss"] == pytest.approx(expected, rel=1e-5)
    assert one.state()["model"]["hidden.weight"].dtype == torch.float64


def test_a_state_of_another_architecture_is_refused() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        session().load(session(width=6).state())


def test_the_number_of_threads_is_left_alone() -> None:
    before = torch.get_num_threads()
    TorchSession(Regression(), CONFIG, 0, Device(threads=before + 1)).advance(1)
    assert torch.get_num_threads() == before
