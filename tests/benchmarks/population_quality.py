"""Is PBT worth it on ``pbt_digits``? Its test error against random search with the same training.

``python -m tests.benchmarks.population_quality`` runs, for each seed, the study as configured and the same
study with nobody copying anybody: the same 16 configurations and initial weights, trained equally long, of
which the best by validation error is taken. Either winner is tested once on held-out images. The seeds pair
the two; their difference is tested by Wilcoxon's signed-rank test (two-sided, exact, with zeros ranked
as Pratt has it). Populations are trained without Ray, bit for bit as the synchronous study does on a cluster.

More arguments are overrides for both, e.g. ``--seeds 5 population.interval=50 population.generations=40``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import PermutationMethod, wilcoxon

from tests.benchmarks.measuring import print_figures, progress, study_config

METHODS: Mapping[str, Sequence[str]] = {
    "pbt": (),
    "random": ("population/exploit=none", "population/explore=none"),
}


@dataclass(frozen=True)
class Winner:
    """The best member of one study, by validation error after its last generation.

    Args:
        validation: its validation error.
        test: its error on the held-out images.
        failures: member-intervals of the whole population that failed.
    """

    validation: float
    test: float
    failures: int


def train(study: Mapping[str, Any]) -> Winner:
    """Run a population study in this process and test its best member."""
    import torch

    from orchestrator.population.assemble import assemble_population
    from orchestrator.population.in_process import evolve
    from orchestrator.population.island.island import Island
    from orchestrator.population.island.member import judge
    from orchestrator.population.setup import make_evolution
    from workloads.contract import Device

    torch.set_num_threads(1)
    parts, device = assemble_population(study), Device()
    evolution = make_evolution(study, parts)
    island = Island(parts.workload, parts.interval, study["seed"], device)
    state = evolve(evolution, island, synchronous=study["population"]["synchronous"])
    best = evolution.best()
    if best is None or state is None:
        raise RuntimeError(f"seed {study['seed']}: every member has failed")
    test = judge(parts.workload, best.config, study["seed"], state["session"], device)
    failures = sum(interval.failure is not None for life in evolution.lives for interval in life)
    return Winner(best.metrics["validation_error"], test["test_error"], failures)


def winners(seeds: int, processes: int, overrides: Sequence[str]) -> dict[str, list[Winner]]:
    """The winner of every method, by seed."""
    # Each process computes on one core: more threads would only wait for one another.
    os.environ["OMP_NUM_THREADS"] = "1"
    found: dict[str, dict[int, Winner]] = {method: {} for method in METHODS}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        jobs = {
            pool.submit(train, study_config("+study=pbt_digits", f"seed={seed}", *changes, *overrides)): (
                method,
                seed,
            )
            for seed in range(seeds)
            for method, changes in METHODS.items()
        }
        for number, job in enumerate(as_completed(jobs), start=1):
            method, seed = jobs[job]
            found[method][seed] = job.result()
            progress(f"{number}/{len(jobs)} {method}, seed {seed}: {found[method][seed]}")
    return {method: [by_seed[seed] for seed in range(seeds)] for method, by_seed in found.items()}


def compared(found: Mapping[str, Sequence[Winner]]) -> dict[str, float]:
    """Medians and means over the seeds, and whether PBT's test error differs from random search's."""
    figures: dict[str, float] = {}
    for method, past in found.items():
        test = np.array([winner.test for winner in past])
        figures[f"{method}_median_test_error"] = float(np.median(test))
        figures[f"{method}_mean_test_error"] = float(test.mean())
        figures[f"{method}_median_validation_error"] = float(
            np.median([winner.validation for winner in past])
        )
    pairs = zip(found["pbt"], found["random"], strict=True)
    difference = np.array([pbt.test - random.test for pbt, random in pairs])
    figures["lower"], figures["higher"] = int((difference < 0).sum()), int((difference > 0).sum())
    figures["p_value"] = 1.0
    if difference.any():
        exact = PermutationMethod(n_resamples=2**14, rng=np.random.default_rng(0))
        figures["p_value"] = float(wilcoxon(difference, zero_method="pratt", method=exact).pvalue)
    figures["failed_intervals"] = sum(winner.failures for past in found.values() for winner in past)
    return figures


def print_table(found: Mapping[str, Sequence[Winner]]) -> None:
    print(f"{'':>6} {'validation error':>21} {'test error':>21}")
    print(f"{'seed':>6}" + f" {'pbt':>10} {'random':>10}" * 2)
    for seed, pair in enumerate(zip(found["pbt"], found["random"], strict=True)):
        values = [*(winner.validation for winner in pair), *(winner.test for winner in pair)]
        print(f"{seed:>6}" + "".join(f" {value:>10.4f}" for value in values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="studies of each method")
    parser.add_argument("--processes", type=int, default=2, help="studies trained at once")
    parser.add_argument("overrides", nargs="*", help="changes to both methods' configuration")
    options = parser.parse_args()
    found = winners(options.seeds, options.processes, options.overrides)
    figures = compared(found)
    print_table(found)
    print(
        f"PBT's median test error is {figures['pbt_median_test_error']:.4f}, random search's "
        f"{figures['random_median_test_error']:.4f}; PBT's is lower on {figures['lower']} seeds, higher on "
        f"{figures['higher']}; Wilcoxon p = {figures['p_value']:.3g}"
    )
    print_figures({"seeds": options.seeds, **figures})


if __name__ == "__main__":
    main()
