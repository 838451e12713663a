"""Costs of a study from a hundred results to a hundred thousand, beside Ray Tune's published ones.

``python -m tests.benchmarks.scale [--searches 100 ...] [--members 100 ...] [--recorded 100 ...]``: searches
of 10², 10³, 10⁴ and 10⁵ trivial trials (random search, three reports each) on 64 workers, and populations of
10², 10³ and 10⁴ members on 4 islands over 12 generations. All of it is real but Ray and the training:
coordinator, journal on the disk, optimizer, decisions, snapshots. Each size runs in a process of its own.
``--recorded``: how many reports of such a search MLflow takes in a second into a new sqlite database.

Printed for each size: results a second of the coordinator's processor time, what a result cost in the last
tenth of the study by what it cost in the first, milliseconds of a decision (a suggestion, or a member's
share of a generation), megabytes of the coordinator, of the journal and of one fold of it (a driver holds
one, the record of MLflow another), and seconds until the journal is taken up again. The last line is one
JSON object.

Ray Tune's page "Scalability and overhead" (docs.ray.io) gives, for one trial each: 10,000 trials of a
second on 16 CPUs 715 s (625 at least); about 500 results a second at most without logging, 50 to 100 with;
200 nodes with a result a second each 2,281 s for 300 s of work. It publishes no memory and no time of a
resume.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from orchestrator.engine.coordinator import Coordinator
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Journal, read_journal
from orchestrator.search.course import Course
from orchestrator.search.history.history import SearchHistory
from tests.benchmarks import population_scale
from tests.benchmarks.measuring import print_figures, progress
from tests.benchmarks.population_scale import resident_bytes
from tests.benchmarks.search_scale import RUNGS, SEARCHES, begun, train_all

TRIALS, MEMBERS = (100, 1_000, 10_000, 100_000), (100, 1_000, 10_000)
WORKERS, GENERATIONS, TENTHS = 64, 12, 10
MEGA = 2**20


class Stopwatch:
    """Processor time after each tenth, and what the calls of one function took of it."""

    def __init__(self) -> None:
        self.marks, self.deciding = [time.process_time()], 0.0

    def mark(self) -> None:
        self.marks.append(time.process_time())

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return call(*arguments)
            finally:
                self.deciding += time.thread_time() - began

        return timed

    @property
    def last_by_first(self) -> float:
        tenths = [end - start for start, end in pairwise(self.marks)]
        return tenths[-1] / tenths[0]


def search(trials: int) -> dict[str, float]:
    """A whole search of trivial trials."""
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "journal.jsonl"
        _searched(TENTHS, Path(made) / "warm_up.jsonl")
        before = resident_bytes()
        watch = _searched(trials, path)
        memory = resident_bytes() - before
        seconds = watch.marks[-1] - watch.marks[0]
        size = path.stat().st_size
        began, before = time.process_time(), resident_bytes()
        events = read_journal(path)
        history = SearchHistory.from_events(events)
        folded = resident_bytes() - before
        with Journal(path) as journal:
            course = Course(
                SEARCHES["random"].optimizer(), (), trials, RUNGS.largest, journal, events, time.time
            )
        taken_up = time.process_time() - began
        assert course.progress.finished and history.ended
    return {
        "results_per_second": len(RUNGS.up_to()) * trials / seconds,
        "last_by_first": watch.last_by_first,
        "decision_ms": 1000 * watch.deciding / trials,
        "coordinator_mb": memory / MEGA,
        "fold_mb": folded / MEGA,
        "journal_mb": size / MEGA,
        "resume_seconds": taken_up,
    }


def _searched(trials: int, path: Path) -> Stopwatch:
    watch, ended = Stopwatch(), 0
    with Journal(path) as journal:
        desk = begun(SEARCHES["random"], trials, WORKERS, journal, path)
        course = desk._course  # to time how long it thinks
        course.optimizer.think = watch.timed(course.optimizer.think)  # type: ignore[method-assign]

        def one_more() -> None:
            nonlocal ended
            ended += 1
            if ended % (trials // TENTHS) == 0:
                watch.mark()

        train_all(Coordinator(desk, WORKERS), WORKERS, one_more)
    return watch


def recorded(trials: int) -> dict[str, float]:
    """The whole record of a search that has ended; a running one has the recorder for a tenth of the time."""
    from orchestrator.tracking.recorder import MlflowRecorder

    with tempfile.TemporaryDirectory() as made:
        run = RunDirectory(Path(made, "run"))
        _searched(trials, run.journal)
        recorder = MlflowRecorder(run.path, f"sqlite:///{made}/mlflow.db", "scale", {})
        recorder.connect()
        recorder.begin()
        began = time.perf_counter()
        if not recorder.finish("FINISHED"):
            raise SystemExit("the record is incomplete")
        seconds = time.perf_counter() - began
    return {"reports_per_second": len(RUNGS.up_to()) * trials / seconds, "seconds": seconds}


def population(members: int) -> dict[str, float]:
    """A whole population study of members that train nothing."""
    with tempfile.TemporaryDirectory() as made:
        population_scale.train(Path(made) / "warm_up", 8, GENERATIONS, synchronous=True)
        before = resident_bytes()
        found = population_scale.train(Path(made) / "run", members, GENERATIONS, synchronous=True)
        memory = resident_bytes() - before
        path = Path(made) / "run" / "journal.jsonl"
        size = path.stat().st_size
        events = read_journal(path)
    return {
        "results_per_second": 1000 / found["ms"],
        "last_by_first": found["last_to_first"],
        "decision_ms": found["ms"],
        "coordinator_mb": memory / MEGA,
        "journal_mb": size / MEGA,
        "resume_seconds": population_scale.resume(members, GENERATIONS, events)
        * members
        * GENERATIONS
        / 1000,
    }


def _said(kind: str, size: int, figures: Mapping[str, float]) -> None:
    progress(f"{kind} of {size:,}: " + ", ".join(f"{name} {value:.3g}" for name, value in figures.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--searches", type=int, nargs="*", default=TRIALS)
    parser.add_argument("--members", type=int, nargs="*", default=MEMBERS)
    parser.add_argument("--recorded", type=int, nargs="*", default=())
    options = parser.parse_args()
    cases: list[tuple[str, Callable[[int], dict[str, float]], int]] = [
        *(("search", search, size) for size in options.searches),
        *(("population", population, size) for size in options.members),
        *(("recorded", recorded, size) for size in options.recorded),
    ]
    figures: dict[str, float] = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for kind, measured, size in cases:
            found = processes.submit(measured, size).result()
            _said(kind, size, found)
            figures |= {f"{kind}_{size}_{name}": value for name, value in found.items()}
    print_figures(figures)


if __name__ == "__main__":
    main()
