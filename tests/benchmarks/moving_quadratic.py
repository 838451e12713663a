"""PB2 against PBT on a quadratic whose optimum moves: intervals until four members have trained.

    python -m tests.benchmarks.moving_quadratic [easy | hard]

Two hyperparameters; an interval lowers the loss, less the farther they are from an optimum that wanders round
the square, with noise: by up to a tenth where the slope is easy, by up to a twentieth where it is hard,
and there a distance costs three times as much. Counted are the intervals of each life until the best loss is
a tenth of what it was (the most where it never is). Both methods copy alike; a signed-rank test over paired
seeds asks whether PB2 is faster.

Measured, medians of PB2 and PBT over 20 seeds: easy, 25 and 26 intervals, p = .006 (22 would be perfect);
hard, 68 and 65, p = .99: there PB2 is the slower one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from scipy.stats import wilcoxon

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.contract import Method
from orchestrator.population.methods.pb2 import Pb2
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.records import Report
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.explore import Perturb
from search_spaces import build_space
from workloads.contract import Objective

SEEDS, MEMBERS, STEPS = 20, 4, 10
SPACE = build_space(
    {"parameters": {name: {"type": "float", "low": 0, "high": 1, "mutable": True} for name in ("a", "b")}}
)
METHODS: dict[str, Method] = {"PBT": Pbt(Truncation(0.25), Perturb()), "PB2": Pb2()}


@dataclass(frozen=True)
class Slope:
    """How an interval lowers the loss.

    Args:
        gain: the share that it takes away at the optimum.
        sharpness: how fast that falls with the squared distance.
        most: intervals that a life has at most.
    """

    gain: float
    sharpness: float
    most: int


SLOPES = {"easy": Slope(0.1, 10, 100), "hard": Slope(0.05, 30, 200)}


def intervals_needed(method: Method, slope: Slope, seed: int) -> int:
    """Intervals in each life until the best loss is a tenth of its start."""
    loss = (Objective("loss"),)
    evolution = Evolution(SPACE, loss, method, size=MEMBERS, generations=slope.most + 1, seed=seed)
    rng, losses = np.random.default_rng(seed), np.ones(MEMBERS)
    for generation in range(1, slope.most + 1):
        angle = generation / 20
        optimum = 0.5 + 0.3 * np.array([np.cos(angle), np.sin(angle)])
        gap = np.square(evolution.past.running - optimum).sum(axis=1)
        gains = slope.gain * np.exp(-slope.sharpness * gap)
        losses = losses * (1 - gains + 0.005 * rng.normal(size=MEMBERS))
        if losses.min() <= 0.1:
            return generation
        reports = [
            Report(member, generation, generation * STEPS, {"loss": float(losses[member])}, 0.0)
            for member in range(MEMBERS)
        ]
        losses = losses[[interval.parent for interval in evolution.decide(reports)]]
    return slope.most


def main(slope: Slope) -> None:
    needed: dict[str, np.ndarray] = {}
    for name, method in METHODS.items():
        counts = np.array([intervals_needed(method, slope, seed) for seed in range(SEEDS)])
        needed[name] = counts
        print(
            f"{name}: median {np.median(counts):.1f} intervals, {counts.min()} to {counts.max()}", flush=True
        )
    p = wilcoxon(needed["PB2"], needed["PBT"], alternative="less").pvalue
    print(f"PB2 needs fewer: one-sided signed-rank test, n = {SEEDS}, p = {p:.2g}")


if __name__ == "__main__":
    main(SLOPES[sys.argv[1] if len(sys.argv) > 1 else "easy"])
