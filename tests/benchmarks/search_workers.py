"""Whether many workers share a small machine: a trivial search with 200 workers of a hundredth of a CPU each.

``python -m tests.benchmarks.search_workers [WORKERS] [TRIALS]``: one Ray, one run. A worker's process takes
about 200 MB, so the program gives up when less than ``SPARE_MEGABYTES`` of memory are available; then try
fewer workers.

The last line is one JSON object: ``workers``, ``trials``, ``status`` (of the study, 0: complete);
``seconds_to_first`` and ``seconds`` (until the first and the last trial ended, start of Ray excluded);
``lost`` (attempts that were lost with their process); ``busy_workers`` (workers that trained at least one
trial); ``worker_megabytes`` (memory that disappeared for each worker).
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import ray

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.studies.search import run
from tests.benchmarks.measuring import print_figures, progress
from tests.conftest import composed

CONF = str(Path(__file__).parents[1] / "orchestrator" / "search" / "conf")
WORKERS, TRIALS = 200, 1_000
SPARE_MEGABYTES = 3_000
LOOK_SECONDS = 1.0


class MemoryWatch:
    """Notes the least memory that was available, and ends this process where it becomes too little."""

    def __init__(self) -> None:
        self.before = self.least = _available()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.least = min(self.least, _available())
            if self.least < SPARE_MEGABYTES:
                progress(f"only {self.least:.0f} MB of memory are available: try fewer workers")
                os._exit(1)  # Ray's processes end with their driver.


def main(workers: int = WORKERS, trials: int = TRIALS) -> None:
    logging.disable(logging.WARNING)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    study = composed(
        "--config-dir",
        CONF,
        "+study=troubled",
        "workload.steps=1",
        f"search.trials={trials}",
        f"search.concurrency={workers}",
        "cluster.cpus_per_trial=0.01",
    )
    with tempfile.TemporaryDirectory() as folder:
        path, memory, began = Path(folder), MemoryWatch(), time.time()
        status = run(study, path, False)
        events = read_journal(RunDirectory(path).journal)
    ray.shutdown()
    ended = [event for event in events if event["event"] == "ended"]
    figures = {
        "workers": workers,
        "trials": len(ended),
        "status": status,
        "seconds_to_first": ended[0]["time"] - began,
        "seconds": ended[-1]["time"] - began,
        "lost": sum(event["event"] == "lost" for event in events),
        "busy_workers": len({event["metrics"]["pid"] for event in ended if event["metrics"]}),
        "worker_megabytes": (memory.before - memory.least) / workers,
    }
    print_figures(figures)


def _available() -> float:
    """Megabytes of memory that programs can still have."""
    return psutil.virtual_memory().available / 2**20


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
