"""Does the ranking matter? Hypervolume of multi-objective populations at the same training, in one engine.

``python -m tests.benchmarks.pareto_populations`` runs the study ``mopbt_breast_cancer`` (or ``--study``) for
each seed with MO-PBT, with our rule by hypervolume contribution, with the same PBT on one scalar (the sum of
the losses, each scaled to [0, 1] within the population) and with random search, without Ray; the study
``several_rewards`` also with other updates of the model (:data:`REWARDS`).

As in the paper (Dushatskiy et al. 2023, arXiv 2306.01436) the figure is the validation hypervolume of
everything that was evaluated, with the reference min - .1 * (max - min) over the fronts of all runs, here of
losses normalised to [0, 1] by the same range. The seeds pair the methods; each is compared with MO-PBT by
Wilcoxon's signed-rank test (two-sided). More arguments are overrides for all. ``--results`` keeps each front
as a line of a file and goes on with those that it has; ``--picture`` draws the hypervolumes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from orchestrator import pareto
from tests.benchmarks.dots import draw_dots
from tests.benchmarks.measuring import keep_row, kept_rows, print_figures, progress, study_config

Floats = NDArray[np.float64]
METHODS: Mapping[str, Sequence[str]] = {
    "mo_pbt": (),
    "hypervolume_pbt": ("population=hypervolume_pbt",),
    "scalarised_pbt": ("population=scalarised_pbt",),
    "random_search": ("population=random_search",),
}
_SPACE = "+search_space.parameters"
REWARDS: Mapping[str, Sequence[str]] = {
    "mo_grpo": ("population=random_search", f"{_SPACE}.advantages={{type: constant, value: each}}"),
    "pama": ("population=random_search", f"{_SPACE}.advantages={{type: constant, value: least}}"),
    "modpo": (
        "population=random_search",
        f"{_SPACE}.update={{type: constant, value: modpo}}",
        f"{_SPACE}.beta={{type: constant, value: 0.1}}",
    ),
    "guided": (
        "population=hypervolume_guided",
        f"{_SPACE}.gain={{type: float, low: 0.5, high: 2.0, mutable: true}}",
    ),
}
"""Of the study ``several_rewards``: weights that stay, with other updates, and hypervolume-guided ones."""


def train(study: Mapping[str, Any]) -> Floats:
    """Run a population study in this process; the losses of its Pareto set, shape ``(k, m)``."""
    import torch

    from orchestrator.population.assemble import assemble_population
    from orchestrator.population.evolution import Evolution
    from orchestrator.population.in_process import evolve
    from orchestrator.population.island.island import Island
    from workloads.contract import Device

    torch.set_num_threads(1)
    parts, population = assemble_population(study), study["population"]
    evolution = Evolution(
        parts.space,
        parts.objectives,
        parts.method,
        size=population["size"],
        generations=population["generations"],
        seed=study["seed"],
    )
    island = Island(parts.workload, population["interval"], study["seed"], Device())
    evolve(evolution, island, synchronous=True)
    losses = evolution.past.losses
    return np.unique(losses[pareto.nondominated(losses)], axis=0)


Fronts = dict[tuple[str, int], Floats]
"""The Pareto set of each method and seed."""


def kept(file: Path | None, study: Sequence[str]) -> Fronts:
    """Those of the same study that a file has."""
    rows = (row for row in kept_rows(file) if row["study"] == [*study])
    return {(row["method"], row["seed"]): np.array(row["front"]) for row in rows}


def fronts(study: Sequence[str], seeds: int, processes: int, file: Path | None) -> Fronts:
    """Train what is not there yet.

    Args:
        study: its name, and overrides for all methods.
        seeds: of each method.
        processes: studies trained at once.
        file: where each front is kept.
    """
    # Each process computes on one core: more threads would only wait for one another.
    os.environ["OMP_NUM_THREADS"] = "1"
    methods = {**METHODS, **(REWARDS if study[0] == "several_rewards" else {})}
    found = kept(file, study)
    keys = [(method, seed) for seed in range(seeds) for method in methods]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {}
        for method, seed in (key for key in keys if key not in found):
            config = study_config(f"+study={study[0]}", f"seed={seed}", *methods[method], *study[1:])
            jobs[pool.submit(train, config)] = method, seed
        for number, job in enumerate(as_completed(jobs), start=1):
            (method, seed), front = jobs[job], job.result()
            found[method, seed] = front
            progress(f"{number}/{len(jobs)} {method}, seed {seed}: {len(front)} points")
            row = {"study": [*study], "method": method, "seed": seed, "front": front.tolist()}
            keep_row(file, row)
    return {key: found[key] for key in keys}


def hypervolumes(found: Fronts) -> dict[str, Floats]:
    """Of every method, by seed, between 0 and 100 * 1.1 ** m."""
    everything = np.concatenate([*found.values()])
    low, extent = everything.min(axis=0), np.ptp(everything, axis=0)
    extent = np.where(extent > 0, extent, 1.0)
    corner = np.full(everything.shape[1], 1.1)
    volumes: dict[str, list[float]] = {}
    for (method, _), front in found.items():
        volumes.setdefault(method, []).append(100 * pareto.hypervolume((front - low) / extent, corner))
    return {method: np.array(own) for method, own in volumes.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--study", default="mopbt_breast_cancer", help="a study that uses population=mo_pbt")
    parser.add_argument("--seeds", type=int, default=10, help="studies of each method")
    parser.add_argument("--processes", type=int, default=2, help="studies trained at once")
    parser.add_argument("--results", type=Path, help="a file of fronts, to go on with and to add to")
    parser.add_argument("--picture", type=Path, help="where to draw")
    parser.add_argument("overrides", nargs="*", help="changes to all methods' configuration")
    options = parser.parse_args()
    study = (options.study, *options.overrides)
    volumes = hypervolumes(fronts(study, options.seeds, options.processes, options.results))
    if options.picture is not None:
        title = f"{options.study}, {options.seeds} seeds"
        draw_dots({title: volumes}, "hypervolume (more is better)", options.picture)
    figures: dict[str, float] = {"seeds": options.seeds}
    for method, values in volumes.items():
        figures[f"{method}_median"] = float(np.median(values))
        figures[f"{method}_mean"] = float(values.mean())
        line = f"{method:>16}: hypervolume {values.mean():.2f} ± {values.std(ddof=1):.2f} (n = {len(values)})"
        if method != "mo_pbt":
            difference = values - volumes["mo_pbt"]
            figures[f"{method}_p"] = float(wilcoxon(difference).pvalue) if difference.any() else 1.0
            higher = int((difference < 0).sum())
            line += f"; MO-PBT is higher on {higher} seeds, p = {figures[f'{method}_p']:.3g}"
        print(line)
    print_figures(figures)


if __name__ == "__main__":
    main()
