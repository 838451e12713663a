"""The PBT paper's Figure 2 problem, run by nothing but the pure rules.

Two workers maximise Q = 1.2 - theta0**2 - theta1**2 while each follows the gradient of 1.2 - h0 * theta0**2 -
h1 * theta1**2. They take turns: a worker trains one interval, publishes, and decides alone on its own next
hyperparameters and weights, given what both have published last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.explore import ExploreRule, NoExplore, Perturb, explore
from orchestrator.population.rules import ExploitRule, Floats, History, NoExploit, Truncation, choose_parents
from search_spaces import build_space

STEPS, INTERVAL, LEARNING_RATE = 200, 5, 0.03

SPACE = build_space(
    {"parameters": {name: {"type": "float", "low": 0, "high": 1, "mutable": True} for name in ("h0", "h1")}}
)


@dataclass(frozen=True)
class Mode:
    """One row of the table: the rules, and whether a copy takes the hyperparameters as well."""

    exploit: ExploitRule
    explore: ExploreRule
    inherit: bool = True


HALVES = Truncation(quantile=0.5)
MODES = {
    "grid": Mode(NoExploit(), NoExplore()),
    "explore only": Mode(NoExploit(), Perturb(members="all")),
    "exploit only, h kept": Mode(HALVES, NoExplore(), inherit=False),
    "exploit only": Mode(HALVES, NoExplore()),
    "PBT, h kept": Mode(HALVES, Perturb(), inherit=False),
    "PBT": Mode(HALVES, Perturb()),
}


def best_q(mode: Mode, seed: int) -> float:
    """The best Q that either worker publishes within the budget."""
    rng = np.random.default_rng(seed)
    theta, units = np.full((2, 2), 0.9), np.eye(2)
    # Both have published what they start from, so that a ranking exists from the first decision on.
    losses, steps = np.square(theta).sum(axis=1) - 1.2, np.zeros(2)
    best = losses.min()
    for _ in range(STEPS // INTERVAL):
        for worker in range(2):
            theta[worker] *= (1 - 2 * LEARNING_RATE * units[worker]) ** INTERVAL
            losses[worker] = np.square(theta[worker]).sum() - 1.2
            steps[worker] += INTERVAL
            best = min(best, losses[worker])
            past = History(losses[:, None, None], units[:, None], steps[:, None])
            parents = choose_parents(mode.exploit, losses[:, None], past, rng)
            inherited = units[parents] if mode.inherit else units
            explored = explore(mode.explore, inherited, parents, past, SPACE, rng)
            theta[worker], units[worker] = theta[parents[worker]], explored[worker]
    return float(-best)


def table(seeds: int) -> dict[str, Floats]:
    """Best Q by mode and seed, each of shape ``(seeds,)``."""
    return {name: np.array([best_q(mode, seed) for seed in range(seeds)]) for name, mode in MODES.items()}
