"""What a cell costs besides its evaluations: ours against carps 1.1.0, in one run.

``python -m tests.benchmarks.cell_throughput [--carps-python PATH]``: random search on the BBOB functions 1
and 8 in 2 and 8 dimensions, 100 evaluations a cell, results stored. carps runs 20 cells with two workers, in
an environment of its own, which is made in the user's cache where none is given. The last line is JSON:

``cell_rate_ratio``     cells per second, ours (2,000 cells with two workers, from the journal: without
                        starting Ray) over carps' (20 cells by the clock).
``ms_per_evaluation``   ours, with storing, in one process.
``end_to_end_ratio``    seconds for 20 cells from command to exit, carps' over ours, report included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.runner import CellRunner
from orchestrator.benchmark.store import Store
from orchestrator.benchmark.suite import tasks_of
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from tests.benchmarks.carps_runs import carps_python, run_carps
from tests.benchmarks.measuring import print_figures, progress, study_config

CONF = str(Path(__file__).parent / "conf")
STUDY = ("--config-dir", CONF, "+study=cell_throughput", "tracking=none", "tracking.terminal=false")
EVALUATIONS, WORKERS = 100, 2
CELLS, FEW_CELLS = 2000, 20
CELLS_IN_PROCESS = 200
CARPS_TASKS = "BBOB=cfg_2_1_1,cfg_2_8_1,cfg_8_1_1,cfg_8_8_1"
TASKS = CARPS_TASKS.count(",") + 1


def carps_seconds(python: Path, folder: Path) -> float:
    """Seconds that carps takes for a few cells, end to end."""
    seeds = range(1, FEW_CELLS // TASKS + 1)
    budget = f"++task.optimization_resources.n_trials={EVALUATIONS}"
    return run_carps(python, "randomsearch=config", CARPS_TASKS, seeds, folder, budget, workers=WORKERS)


def study_seconds(cells: int, folder: Path) -> float:
    """Seconds that the same takes as a study of ours, end to end."""
    command = [sys.executable, "-m", "orchestrator", *STUDY, f"run.dir={folder}", f"cluster.cpus={WORKERS}"]
    began = time.perf_counter()
    subprocess.run(
        [*command, f"benchmark.seeds={cells // TASKS}"],
        check=True,
        stdout=sys.stderr,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return time.perf_counter() - began


def study_rate(run_dir: Path) -> float:
    """Cells per second of a study that is complete, from its first event to the end of its last cell.

    Raises:
        RuntimeError: a cell has failed.
    """
    events = read_journal(RunDirectory(run_dir).journal)
    ended = [event for event in events if event["event"] == "cells"]
    finished = sum(sum(event["finished"].values()) for event in ended)
    if any(event["failed"] for event in ended):
        raise RuntimeError(f"cells have failed, see {run_dir}")
    return finished / float(ended[-1]["time"] - events[0]["time"])


def seconds_per_evaluation(folder: Path) -> float:
    """What an evaluation takes in one process, with storing it."""
    config = study_config(*STUDY)
    runner = CellRunner(config)
    suite = config["benchmark"]["suites"]["bbob"]
    tasks = [task.name for task in tasks_of("bbob", suite, "benchmark.suites.bbob")]
    seeds = range(CELLS_IN_PROCESS // len(tasks))
    with Store(folder) as store:
        for task in tasks:  # what is made once is not part of an evaluation
            store.append(runner.compute(CellKey(task, "random", len(seeds))))
        began = time.perf_counter()
        results = [runner.compute(CellKey(task, "random", seed)) for seed in seeds for task in tasks]
        for result in results:
            store.append(result)
        seconds = time.perf_counter() - began
    return seconds / sum(len(result.evaluations) for result in results)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a cell costs: ours against carps 1.1.0.")
    parser.add_argument("--carps-python", type=Path, help="the Python that carps 1.1.0 is installed for")
    python = carps_python(parser.parse_args().carps_python, "ioh")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        each = seconds_per_evaluation(folder / "cells")
        progress(f"ours: {1000 * each:.3f} ms per evaluation, with storing")
        few = study_seconds(FEW_CELLS, folder / "few")
        theirs = carps_seconds(python, folder / "carps")
        progress(f"{FEW_CELLS} cells end to end: {few:.1f} s, carps {theirs:.1f} s")
        study_seconds(CELLS, folder / "many")
        rate = study_rate(folder / "many")
    progress(f"{rate:.1f} cells/s, carps {FEW_CELLS / theirs:.2f} cells/s ({WORKERS} workers each)")
    print_figures(
        {
            "cell_rate_ratio": rate * theirs / FEW_CELLS,
            "ms_per_evaluation": 1000 * each,
            "end_to_end_ratio": theirs / few,
            "cells_per_second": rate,
            "carps_cells_per_second": FEW_CELLS / theirs,
        }
    )


if __name__ == "__main__":
    main()
