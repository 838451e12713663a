"""A torch session as most people write one: `state_dict` and `load_state_dict`, by reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from orchestrator.population.decision import Decision
from orchestrator.population.island.island import Island
from orchestrator.population.island.member import judge
from search_spaces import Config, build_space
from tests.orchestrator.population.harness import Death, Population
from workloads.contract import Device, Fidelity, Metrics, Objective, State
from workloads.state import copied, independent, restore, take_state

SPACE = {"parameters": {"rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "mutable": True}}}


class Usual:
    objectives = (Objective("loss"),)
    fidelity = Fidelity("step", largest=100)

    def __init__(self) -> None:
        self.space = build_space(SPACE)

    def start(self, config: Config, seed: int, device: Device) -> UsualSession:
        return UsualSession(config, seed)


class UsualSession:
    def __init__(self, config: Config, seed: int) -> None:
        draws = torch.Generator().manual_seed(seed)
        self.x = torch.randn(32, 4, generator=draws)
        self.y = self.x @ torch.arange(4.0)[:, None]
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=config["rate"])
        self.age = 0
        self.configure(config)

    def configure(self, config: Config) -> None:
        self.rate = config["rate"]
        for group in self.optimizer.param_groups:
            group["lr"] = config["rate"]

    def advance(self, amount: int) -> Metrics:
        for _ in range(amount):
            loss = (self.model(self.x) - self.y).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.age += amount
        step = float(next(iter(self.optimizer.state.values()))["step"])
        return {
            "loss": float(loss.detach()),
            "rate_error": abs(self.optimizer.param_groups[0]["lr"] - self.rate),
            "step_error": abs(step - self.age),
        }

    def state(self) -> State:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "age": self.age}

    def load(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.age = state["age"]

    def test(self) -> Metrics:
        return {"test_rate": self.optimizer.param_groups[0]["lr"]}


@pytest.mark.parametrize("islands", [1, 2])
@pytest.mark.parametrize("synchronous", [True, False])
def test_after_any_copy_the_recorded_hyperparameters_and_the_own_moments_are_in_use(
    islands: int, synchronous: bool, tmp_path: Path
) -> None:
    population = Population(tmp_path, workload=Usual(), islands=islands, synchronous=synchronous)
    outcome = population.train(deaths={0: [Death("train", 6)]})
    lives = population.history().lives
    assert outcome.finished and any(interval.copies for life in lives for interval in life)
    for life in lives:
        for interval in life:
            assert (interval.metrics["rate_error"], interval.metrics["step_error"]) == (0, 0)


def test_two_copies_of_one_member_share_nothing() -> None:
    configs: dict[int, Config] = {number: {"rate": 0.1 * (number + 1)} for number in range(3)}
    island = Island(Usual(), 5, 0, Device())
    island.settle(configs, dict.fromkeys(configs, 0))
    island.train_all(configs)
    island.apply([Decision(number, 1, 0, configs[number]) for number in (1, 2)], {})
    for number in configs:
        report = island.train(number)
        assert (report.metrics["rate_error"], report.metrics["step_error"]) == (0, 0)


def test_a_snapshot_stays_what_it_was_while_its_member_trains_on() -> None:
    island = Island(Usual(), 5, 0, Device())
    island.settle({0: {"rate": 0.1}}, {0: 0})
    island.train(0)
    state = island.snapshot(0)
    assert state is not None
    before = state["session"]["model"]["weight"].clone()
    island.train(0)
    assert torch.equal(state["session"]["model"]["weight"], before)


def test_the_held_out_test_uses_the_members_hyperparameters() -> None:
    trained = Usual().start({"rate": 0.5}, 0, Device())
    trained.advance(1)
    metrics = judge(Usual(), {"rate": 0.25}, 0, trained.state(), Device())
    assert metrics == {"test_rate": 0.25}


def test_states_that_are_copies_already_are_not_copied_again() -> None:
    class Careful:
        def __init__(self) -> None:
            self.taken: State = {"weights": np.zeros(2)}
            self.given: State = None

        @independent
        def state(self) -> State:
            return self.taken

        @independent
        def load(self, state: State) -> None:
            self.given = state

        def configure(self, config: Config) -> None:
            pass

        def advance(self, amount: int) -> Metrics:
            return {}

    class Careless(Careful):
        def state(self) -> State:
            return self.taken

    session = Careful()
    assert take_state(session) is session.taken
    restore(session, session.taken, {})
    assert session.given is session.taken
    careless = Careless()
    assert take_state(careless)["weights"] is not careless.taken["weights"]


def test_a_copy_shares_no_memory_and_keeps_its_types() -> None:
    state = {"a": [torch.ones(2, requires_grad=True), np.ones(2)], "b": (1, "x", None, {"c": {1, 2}})}
    copy = copied(state)
    assert torch.equal(copy["a"][0], torch.ones(2)) and not copy["a"][0].requires_grad
    with torch.no_grad():
        state["a"][0].zero_()  # type: ignore[attr-defined]
    state["a"][1][:] = 0
    assert copy["a"][0].sum() == 2 and copy["a"][1].sum() == 2
    assert copy["b"] == (1, "x", None, {"c": {1, 2}})
