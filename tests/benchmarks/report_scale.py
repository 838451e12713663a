"""A report on very many cells: ``python -m tests.benchmarks.report_scale [--tasks N] [--evaluations N]``.

Stores a study of 2,000 tasks, 6 methods and 20 seeds (240,000 cells) as a run directory, and has
``python -m orchestrator report`` write its report in a process of its own. The last line is JSON: ``cells``,
``evaluations``, ``report_seconds`` (by the clock), ``report_cpu_seconds``, ``peak_gib`` (memory of that
process) and ``page_mb``. The targets are 60 seconds and 15 MB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.benchmark.records import TaskRecord
from orchestrator.benchmark.results import save_study
from orchestrator.benchmark.rows import CELLS, EVALUATIONS
from orchestrator.run.directory import RunDirectory
from tests.benchmarks.measuring import print_figures, progress

METHODS = ("random", "sobol", "tpe", "cma", "de", "gp")
SUITES = 20


def task(number: int, evaluations: int) -> TaskRecord:
    """A black box whose optimum is not known."""
    return TaskRecord(
        name=f"suite_{number % SUITES:02}/function={number},dimension={2 + number % 9}",
        suite=f"suite_{number % SUITES:02}",
        type="BB",
        dimension=2 + number % 9,
        objectives=("loss",),
        directions=("min",),
        evaluations=evaluations,
    )


def store(folder: Path, tasks: Sequence[TaskRecord], seeds: int, evaluations: int) -> None:
    """Write the study as a compacted store, all columns at once."""
    save_study(folder, "scale", tasks, METHODS, workers=1, left_out=[], seeds=range(seeds))
    cells = len(tasks) * len(METHODS) * seeds
    names = sorted(task.name for task in tasks)
    methods = sorted(METHODS)
    # Ordered by key, as the store keeps them.
    of_task = np.repeat(np.arange(len(names)), len(methods) * seeds)
    of_method = np.tile(np.repeat(np.arange(len(methods)), seeds), len(names))
    key = {
        "task": pa.array(names).take(pa.array(of_task)),
        "method": pa.array(methods).take(pa.array(of_method)),
        "seed": pa.array(np.tile(np.arange(seeds), len(names) * len(methods))),
    }
    same = {"digest": "1", "status": "finished", "reason": "", "seconds": 0.1, "versions": "{}"}
    constant = {name: pa.array([value] * cells) for name, value in same.items()}
    more = {"thinking": pa.array(np.full(cells, 0.01)), "test": pa.array([""] * cells)}
    counts = pa.array(np.full(cells, evaluations))
    every = {**key, **constant, **more, "evaluations": counts}
    folder = RunDirectory(folder).cells
    folder.mkdir(parents=True)
    pq.write_table(pa.table([every[name] for name in CELLS.names], schema=CELLS), folder / "cells.parquet")
    rng = np.random.default_rng(0)
    rates = 0.3 + 0.15 * of_method + 0.1 * rng.random(cells)
    steps = np.arange(evaluations)
    losses = np.exp(-rates[:, None] * steps / 5 + 0.7 * rng.standard_normal((cells, evaluations))).ravel()
    n = cells * evaluations
    owner = pa.array(np.repeat(np.arange(cells), evaluations))
    numbers = np.tile(steps, cells)
    texts = {"status": "finished", "reason": "", "config": '{"x":0.123456}'}
    columns = {
        **{name: column.take(owner) for name, column in key.items()},
        **{name: pa.array(numbers) for name in ("number", "asked")},
        "worker": pa.array(np.zeros(n, dtype=np.int64)),
        "fidelity": pa.array(np.ones(n, dtype=np.int64)),
        "cost": pa.array(np.ones(n)),
        **{name: pa.array(numbers + 1.0) for name in ("spent", "end")},
        "start": pa.array(numbers.astype(float)),
        **{
            name: pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int8), [text]).cast(
                EVALUATIONS.field(name).type
            )
            for name, text in texts.items()
        },
        "losses": pa.ListArray.from_arrays(pa.array(np.arange(n + 1), pa.int32()), pa.array(losses)),
        "violations": pa.ListArray.from_arrays(
            pa.array(np.zeros(n + 1), pa.int32()), pa.array([], pa.float64())
        ),
    }
    table = pa.table([columns[name] for name in EVALUATIONS.names], schema=EVALUATIONS)
    pq.write_table(table, folder / "evaluations.parquet", compression="zstd", row_group_size=1 << 18)


def report(folder: Path) -> dict[str, float]:
    """Write the report in another process, and what that took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "orchestrator", "report", str(folder)]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"expected a report, got exit code {process.returncode}")
    page = folder / "results" / "report.html"
    return {
        "report_seconds": time.monotonic() - began,
        "report_cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_gib": usage.ru_maxrss / 2**20,
        "page_mb": page.stat().st_size / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        tasks = [task(number, arguments.evaluations) for number in range(arguments.tasks)]
        store(run, tasks, arguments.seeds, arguments.evaluations)
        cells = arguments.tasks * len(METHODS) * arguments.seeds
        progress(f"stored {cells:,} cells")
        figures = report(run)
        print_figures({"cells": cells, "evaluations": cells * arguments.evaluations, **figures})


if __name__ == "__main__":
    main()
