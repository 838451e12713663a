"""Do our optimizers do what the same ones in carps do? Their final results, compared as distributions.

``python -m tests.benchmarks.carps_agreement [--carps-python PATH] [--folder DIR] [--seeds N]``: random search
and the algorithms of Optuna and Nevergrad, set up as carps 1.1.0 sets them up, on two BBOB functions and two
problems with two objectives, with carps' budgets and the same seeds. carps' logs are imported; then one
analysis scores every cell of both: the best loss, or the hypervolume with the task's own reference point. For
each method and task the two samples are compared by a two-sided Mann-Whitney and a Kolmogorov-Smirnov test;
p-values are corrected by Holm's method over all pairs, for each test. A seed need not give the same draws in
both: random search draws from different generators. Optuna's samplers and differential evolution are asked
alike, and give the same trials for the same seed.

Nevergrad's NGOpt is not compared. For one objective it chooses COBYLA here, which draws nothing at random, so
that there is no distribution: its path depends on the last digits, and ConfigSpace rounds carps'
configurations to 13 decimals. For several it chooses by their number, which carps does not tell it in time.

What is already in ``--folder`` and would be computed alike is not computed again. A pair that lacks a result
for a seed, such as that of a failed cell, ends the program. The last line is JSON: ``comparisons``,
``differing`` (those below .05 by either corrected test), ``smallest_p``, ``smallest_holm_p``.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from orchestrator.analysis.analysis import analyse
from orchestrator.analysis.statistics import holm
from orchestrator.benchmark.carps_logs import import_carps, read_cell
from orchestrator.benchmark.digest import Digests
from orchestrator.benchmark.records import CellKey, TaskRecord
from orchestrator.benchmark.results import load_results, merge, save_study
from orchestrator.benchmark.runner import CellRunner
from orchestrator.benchmark.store import Store
from orchestrator.benchmark.suite import tasks_of
from orchestrator.run.directory import RunDirectory
from tests.benchmarks.carps_runs import carps_python, run_carps
from tests.benchmarks.measuring import print_figures, progress, study_config

CONF = str(Path(__file__).parent / "conf")
ALPHA = 0.05

ROSENBROCK = "bbob/function=8,dimension=2,instance=1"
SPHERE = "bbob/function=1,dimension=8,instance=1"
KURSAWE = "kursawe"
ZDT1 = "zdt/instance=1,dimension=30"
TASKS = {
    ROSENBROCK: "BBOB=cfg_2_8_1",
    SPHERE: "BBOB=cfg_8_1_1",
    KURSAWE: "Pymoo/MO/unconstraint=kursawe",
    ZDT1: "Pymoo/MO/unconstraint=zdt1",
}
"""carps' configurations by our names."""


@dataclass(frozen=True)
class Peer:
    """A method of ours and the same one of carps'.

    Args:
        ours: its name in the study.
        theirs: carps' optimizer id.
        config: its configuration.
        tasks: on which the two are compared.
    """

    ours: str
    theirs: str
    config: str
    tasks: Sequence[str]


PEERS = (
    Peer("random", "RandomSearch", "randomsearch=config", tuple(TASKS)),
    Peer("tpe", "Optuna-TPE", "optuna=SO_TPE", (ROSENBROCK, SPHERE)),
    # On ZDT1's 30 parameters TPE takes minutes for a cell.
    Peer("tpe", "Optuna-MO-TPE", "optuna=MO_TPE", (KURSAWE,)),
    Peer("nsga2", "Optuna-MO-NSGAII", "optuna=MO_NSGAII", (KURSAWE, ZDT1)),
    Peer("de", "Nevergrad-DE", "nevergrad=DE", tuple(TASKS)),
    Peer("cma", "Nevergrad-CMA-ES", "nevergrad=cmaes", tuple(TASKS)),
)


def compute_theirs(python: Path, folder: Path, seeds: Sequence[int]) -> None:
    """Let carps run the cells that its logs in ``folder`` do not have."""
    cells = [read_cell(log.parent)[1] for log in folder.rglob("trial_logs.jsonl")]
    done = {cell.key for cell in cells if cell.status == "finished"}
    for peer in PEERS:
        for task in peer.tasks:
            missing = [seed for seed in seeds if CellKey(task, peer.theirs, seed) not in done]
            if missing:
                seconds = run_carps(python, peer.config, TASKS[task], missing, folder)
                progress(f"carps: {peer.theirs} on {task}, {len(missing)} cells in {seconds:.0f} s")


def compute_ours(folder: Path, seeds: Sequence[int]) -> None:
    """Compute the cells of our side that the run directory ``folder`` has not, or of another digest."""
    config = study_config("--config-dir", CONF, "+study=carps_agreement", "tracking=none")
    runner, suites = CellRunner(config), config["benchmark"]["suites"]
    tasks = [
        task
        for name, suite in suites.items()
        for task in tasks_of(name, suite, f"benchmark.suites.{name}")
        if task.name in TASKS
    ]
    methods = list(config["benchmark"]["methods"])
    records = [TaskRecord.of(task) for task in tasks]
    save_study(folder, "ours", records, methods, workers=1, left_out=[], seeds=seeds)
    digests = Digests(config["benchmark"], {task.name: task for task in tasks})
    with Store(RunDirectory(folder).cells) as store:
        done = store.finished()
        for peer in PEERS:
            keys = [CellKey(task, peer.ours, seed) for task in peer.tasks for seed in seeds]
            missing = [key for key in keys if done.get(key) != digests.of(key)]
            for key in missing:
                store.append(runner.compute(key))
            progress(f"ours: {peer.ours}, {len(missing)} cells")


def compare(scores: pd.DataFrame, seeds: Sequence[int]) -> pd.DataFrame:
    """One row per method and task: medians of both sides, p-values, corrected ones.

    Raises:
        RuntimeError: a sample has no value for one of ``seeds``.
    """
    frame = pd.DataFrame(_comparisons(scores, seeds))
    for test in ("mann_whitney", "kolmogorov_smirnov"):
        frame[f"{test}_holm"] = holm(frame[test])
    return frame


def _comparisons(scores: pd.DataFrame, seeds: Sequence[int]) -> Iterator[dict[str, object]]:
    table = scores.pivot(index="seed", columns=["task", "method"], values="value")
    pairings = [
        (task, method) for peer in PEERS for task in peer.tasks for method in (peer.ours, peer.theirs)
    ]
    samples = table.reindex(index=seeds, columns=pd.MultiIndex.from_tuples(pairings))
    found = samples.count()
    lacking = [f"{method} on {task} {count}" for (task, method), count in found.items() if count < len(seeds)]
    if lacking:
        raise RuntimeError(f"expected {len(seeds)} results of each method, got of {', '.join(lacking)}")
    for peer in PEERS:
        for task in peer.tasks:
            ours, theirs = samples[task, peer.ours].to_numpy(), samples[task, peer.theirs].to_numpy()
            same = np.array_equal(np.sort(ours), np.sort(theirs))
            yield {
                "task": task,
                "method": peer.ours,
                "carps": peer.theirs,
                "ours": float(np.median(ours)),
                "theirs": float(np.median(theirs)),
                "mann_whitney": 1.0 if same else float(stats.mannwhitneyu(ours, theirs).pvalue),
                "kolmogorov_smirnov": 1.0 if same else float(stats.ks_2samp(ours, theirs).pvalue),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description="Our optimizers against the same ones in carps 1.1.0.")
    parser.add_argument("--carps-python", type=Path, help="the Python that carps 1.1.0 is installed for")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/carps_agreement"), help="for what is computed"
    )
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    seeds, folder = range(1, arguments.seeds + 1), arguments.folder
    compute_ours(folder / "ours", seeds)
    needs = ("ioh", "nevergrad", "optuna", "pymoo")
    compute_theirs(carps_python(arguments.carps_python, *needs), folder / "logs", seeds)
    shutil.rmtree(folder / "carps", ignore_errors=True)
    import_carps(folder / "logs", folder / "carps")
    results = merge([load_results(folder / "ours"), load_results(folder / "carps")])
    table = compare(analyse(results, {}).scores, seeds)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    corrected = table[["mann_whitney_holm", "kolmogorov_smirnov_holm"]]
    print_figures(
        {
            "comparisons": len(table),
            "differing": int((corrected < ALPHA).any(axis=1).sum()),
            "smallest_p": float(table[["mann_whitney", "kolmogorov_smirnov"]].min().min()),
            "smallest_holm_p": float(corrected.min().min()),
        }
    )


if __name__ == "__main__":
    main()
