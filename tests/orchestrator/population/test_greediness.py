"""A task on which PBT is greedy: the best final loss needs a rate that is worse at first.

A loss of two parts, as training with noisy gradients has them: what is yet to be learned, which decays by
``exp(-rate / 10)`` with each step, and noise that follows the rate within a few steps. Lowering the rate pays
at once, and ends the learning.

The greed is that of comparing after each step. PBT that compares after every fifth, with factors of 0.5 and
2, ends at a median of 0.30 here, no worse than MF-PBT, which needs no such choice.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from orchestrator.population.evolution import Evolution
from orchestrator.population.in_process import evolve
from orchestrator.population.island.island import Island
from orchestrator.population.methods.contract import Method
from orchestrator.population.methods.mf_pbt import MfPbt
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.contract import Floats
from orchestrator.population.rules.explore import Perturb
from search_spaces import Config, build_space
from workloads.contract import Device, Fidelity, Metrics, Objective, State

SEEDS, MEMBERS, GENERATIONS = 20, 16, 60


class Greedy:
    """The task: one rate, mutable; an interval is one step."""

    space = build_space(
        {
            "parameters": {
                "rate": {"type": "float", "low": 1e-3, "high": 1.0, "log": True, "mutable": True},
            }
        }
    )
    objectives = (Objective("loss"),)
    fidelity = Fidelity("step", largest=GENERATIONS)

    def start(self, config: Config, seed: int, device: Device) -> GreedySession:
        del seed, device
        return GreedySession(config)


class GreedySession:
    def __init__(self, config: Config) -> None:
        self.rate, self.unlearned, self.noise = float(config["rate"]), 3.0, 1.0

    def advance(self, amount: int) -> Metrics:
        for _ in range(amount):
            self.unlearned *= math.exp(-self.rate / 10)
            self.noise += (self.rate - self.noise) / 2
        return {"loss": self.unlearned + self.noise}

    def configure(self, config: Config) -> None:
        self.rate = float(config["rate"])

    def state(self) -> State:
        return {"unlearned": self.unlearned, "noise": self.noise}

    def load(self, state: State) -> None:
        self.unlearned, self.noise = state["unlearned"], state["noise"]


METHODS: dict[str, Method] = {
    "PBT": Pbt(Truncation(0.25), Perturb((0.8, 1.25), 0.0)),
    "MF-PBT": MfPbt(periods=(1, 5, 10, 25)),
}


def final_loss(method: Method, seed: int) -> float:
    """The best loss of any member at the end."""
    task = Greedy()
    evolution = Evolution(
        task.space, task.objectives, method, size=MEMBERS, generations=GENERATIONS, seed=seed
    )
    evolve(evolution, Island(task, 1, seed, Device()), synchronous=True)
    return min(life[-1].losses[0] for life in evolution.lives)


@pytest.fixture(scope="module")
def results() -> dict[str, Floats]:
    return {
        name: np.array([final_loss(method, seed) for seed in range(SEEDS)])
        for name, method in METHODS.items()
    }


def test_sub_populations_that_are_compared_seldom_end_lower(results: dict[str, Floats]) -> None:
    """Of 20 seeds all did when this was written: medians of 0.34 and 1.94, p of 1e-6."""
    assert wilcoxon(results["MF-PBT"], results["PBT"], alternative="less").pvalue < 1e-3


def test_pbt_is_left_with_what_it_had_not_learned(results: dict[str, Floats]) -> None:
    assert np.median(results["PBT"]) > 1 > np.median(results["MF-PBT"])
