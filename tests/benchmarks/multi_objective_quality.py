"""Do the multi-objective optimizers beat random search? Hypervolume on six functions whose fronts are known.

``python -m tests.benchmarks.multi_objective_quality`` gives every optimizer and random search 60
evaluations of each function with each of 10 seeds, one after the other, and compares the hypervolumes by a
one-sided Mann-Whitney test. Optimizers are configured as they ship, except that SMAC is told the number of
evaluations. An optimizer that does not handle constraints has no figure for the constrained function.

The functions, with their usual reference points: ZDT1, ZDT2 and ZDT3 over 6 parameters, DTLZ2 with two
objectives over 6, Kursawe over 3, and Binh and Korn over 2 with two constraints.

Suggestions of Gaussian processes take seconds, so that the whole table takes hours: choose with
``--optimizers``, ``--functions`` and ``--seeds``, or let ``--results FILE`` remember what is done, so that
the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.stats import mannwhitneyu

from orchestrator.archive import Archive
from orchestrator.config.targets import instantiate
from orchestrator.trial import evaluated
from search_spaces import ConfigurationError
from tests.benchmarks.measuring import keep_row, kept_rows, print_figures, progress
from workloads.contract import Device
from workloads.library.functions.bnh import Bnh
from workloads.library.functions.dtlz2 import Dtlz2
from workloads.library.functions.kursawe import Kursawe
from workloads.library.functions.multi_objective import KnownFront
from workloads.library.functions.zdt import Zdt

CONF = Path(__file__).parents[2] / "conf" / "optimizer"
BASELINE = "random"
OPTIMIZERS = (
    "optuna_tpe",
    "optuna_nsga2",
    "optuna_nsga3",
    "optuna_gp",
    "smac_parego",
    "botorch_nehvi",
    "botorch_parego",
)
FUNCTIONS: Mapping[str, Callable[[], KnownFront]] = {
    "zdt1": lambda: Zdt(instance=1, dimension=6),
    "zdt2": lambda: Zdt(instance=2, dimension=6),
    "zdt3": lambda: Zdt(instance=3, dimension=6),
    "dtlz2": lambda: Dtlz2(count=2, dimension=6),
    "kursawe": Kursawe,
    "bnh": Bnh,
}
SEEDS = 10
"""And as many of random search even where fewer of the others are asked for: it costs next to nothing."""
ALPHA = 0.05


@dataclass(frozen=True)
class Run:
    """One optimizer on one function with one seed."""

    optimizer: str
    function: str
    seed: int
    evaluations: int


_RUN = tuple(field.name for field in fields(Run))


def hypervolume(run: Run) -> float | None:
    """The share of the largest hypervolume that is reached; None where the optimizer refuses the function."""
    function = FUNCTIONS[run.function]()
    definition: dict[str, Any] = yaml.safe_load((CONF / f"{run.optimizer}.yaml").read_text())
    if "n_trials" in definition:
        definition["n_trials"] = run.evaluations
    try:
        optimizer = instantiate(
            definition,
            "optimizer",
            space=function.space,
            objectives=function.objectives,
            seed=run.seed,
            constraints=function.constraints,
        )
    except ConfigurationError:
        return None
    archive = Archive(function.objectives, function.constraints)
    for _ in range(run.evaluations):
        (suggestion,) = optimizer.ask()
        metrics = function.start(suggestion.config, run.seed, Device()).advance(1)
        trial = evaluated(suggestion, metrics, function.objectives, function.constraints)
        optimizer.tell([trial])
        archive.add([trial])
    return float(archive.hypervolume_over_time()[-1] / function.largest_hypervolume)


def all_runs(runs: Sequence[Run], processes: int, results: Path | None) -> dict[Run, float | None]:
    """What every run reaches; those in the file ``results`` are not run again, the others are added to it."""
    known = _read(results)
    found = {run: known[run] for run in runs if run in known}
    runs = [run for run in runs if run not in known]
    # Each process computes on one core: more threads would only wait for one another.
    os.environ["OMP_NUM_THREADS"] = "1"
    start = time.perf_counter()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {pool.submit(hypervolume, run): run for run in runs}
        for number, job in enumerate(as_completed(jobs), start=1):
            run = jobs[job]
            found[run] = job.result()
            keep_row(results, {**asdict(run), "hypervolume": found[run]})
            seconds = time.perf_counter() - start
            done = f"{number}/{len(runs)} ({seconds:.0f} s)"
            progress(f"{done} {run.optimizer} {run.function} {run.seed}: {found[run]}")
    return found


def _read(results: Path | None) -> dict[Run, float | None]:
    return {Run(**{name: row[name] for name in _RUN}): row["hypervolume"] for row in kept_rows(results)}


def figures(found: Mapping[Run, float | None], optimizers: Sequence[str]) -> dict[str, Any]:
    """Medians by optimizer and function, p-values of the advantage over random search, and the wins."""
    functions = list(dict.fromkeys(run.function for run in found))

    def values(optimizer: str, function: str) -> list[float]:
        return [
            value
            for run, value in found.items()
            if (run.optimizer, run.function) == (optimizer, function) and value is not None
        ]

    result: dict[str, Any] = {}
    for optimizer in (BASELINE, *optimizers):
        wins = 0
        for function in functions:
            reached, random = values(optimizer, function), values(BASELINE, function)
            if not reached:
                continue
            result[f"{optimizer}_{function}_median"] = float(np.median(reached))
            if optimizer != BASELINE:
                p = float(mannwhitneyu(reached, random, alternative="greater").pvalue)
                result[f"{optimizer}_{function}_p"] = p
                wins += p < ALPHA
        if optimizer != BASELINE:
            result[f"{optimizer}_wins"] = wins
    return result


def print_table(result: Mapping[str, Any], optimizers: Sequence[str], functions: Sequence[str]) -> None:
    """Medians as shares of the largest hypervolume; p-values in brackets."""
    print(f"{'':>15}" + "".join(f"{function:>18}" for function in functions) + f"{'better on':>11}")
    for optimizer in (BASELINE, *optimizers):
        line = f"{optimizer:>15}"
        for function in functions:
            median = result.get(f"{optimizer}_{function}_median")
            p = result.get(f"{optimizer}_{function}_p")
            cell = "-" if median is None else f"{median:.4f}" + ("" if p is None else f" ({p:.1e})")
            line += f"{cell:>18}"
        print(line + f"{result.get(f'{optimizer}_wins', ''):>11}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--optimizers", nargs="*", default=OPTIMIZERS, choices=OPTIMIZERS, metavar="NAME")
    parser.add_argument("--functions", nargs="*", default=list(FUNCTIONS), choices=FUNCTIONS, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of each optimizer on each function")
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--processes", type=int, default=2, help="runs at once")
    parser.add_argument("--results", type=Path, help="a file of results, to go on with and to add to")
    options = parser.parse_args()
    runs = [
        Run(optimizer, function, seed, options.evaluations)
        for optimizer in (BASELINE, *options.optimizers)
        for function in options.functions
        for seed in range(options.seeds if optimizer != BASELINE else max(options.seeds, SEEDS))
    ]
    found = all_runs(runs, options.processes, options.results)
    result = figures(found, options.optimizers)
    print_table(result, options.optimizers, options.functions)
    print_figures({"seeds": options.seeds, "evaluations": options.evaluations, **result})


if __name__ == "__main__":
    main()
