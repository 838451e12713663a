"""The acceptance test of any PBT: Figure 2 of its paper (Jaderberg et al. 2017, arXiv 1711.09846).

Two workers maximise Q = 1.2 - theta0**2 - theta1**2 while each follows the gradient of 1.2 - h0 * theta0**2 -
h1 * theta1**2, with lr 0.03, over 200 steps, ready every 5, and take turns.
"""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.population.evolution import Evolution
from orchestrator.population.in_process import evolve
from orchestrator.population.island.island import Island
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.rules import NoExploit, Truncation
from orchestrator.population.rules.contract import Floats
from orchestrator.population.rules.explore import NoExplore, Perturb
from workloads.contract import Device
from workloads.library.pbt_toy import PbtToy

SEEDS, STEPS, INTERVAL = 30, 200, 5
STUCK = 1.2 - 0.9**2
"""Q of a worker whose gradient never moves the second coordinate."""

HALVES = Truncation(quantile=0.5)
MODES = {
    "grid": Pbt(NoExploit(), NoExplore()),
    "explore only": Pbt(NoExploit(), Perturb(members="all")),
    "exploit only, h kept": Pbt(HALVES, NoExplore(), inherit_hyperparameters=False),
    "exploit only": Pbt(HALVES, NoExplore()),
    "PBT, h kept": Pbt(HALVES, Perturb(), inherit_hyperparameters=False),
    "PBT": Pbt(HALVES, Perturb()),
}


def best_q(rules: Pbt, seed: int) -> float:
    """The best Q that either worker publishes within the budget."""
    toy = PbtToy()
    evolution = Evolution(
        toy.space,
        toy.objectives,
        rules,
        size=2,
        generations=STEPS // INTERVAL,
        seed=seed,
        initial=[{"h0": 1.0, "h1": 0.0}, {"h0": 0.0, "h1": 1.0}],
    )
    evolve(evolution, Island(toy, INTERVAL, seed, Device()), synchronous=False)
    return max(interval.metrics["Q"] for life in evolution.lives for interval in life)


@pytest.fixture(scope="module")
def results() -> dict[str, Floats]:
    return {name: np.array([best_q(rules, seed) for seed in range(SEEDS)]) for name, rules in MODES.items()}


@pytest.mark.parametrize("mode", ["grid", "exploit only"])
def test_the_same_gradient_everywhere_moves_one_coordinate_only(
    results: dict[str, Floats], mode: str
) -> None:
    np.testing.assert_allclose(results[mode], STUCK, atol=1e-3)


@pytest.mark.parametrize("mode", ["explore only", "exploit only, h kept", "PBT, h kept", "PBT"])
def test_the_optimum_is_reached(results: dict[str, Floats], mode: str) -> None:
    assert np.median(results[mode]) >= 1.199
    assert np.percentile(results[mode], 5) >= 1.19


def test_copying_weights_alone_is_enough_whatever_the_seed(results: dict[str, Floats]) -> None:
    assert results["exploit only, h kept"].min() >= 1.1995
