"""Whether a search of many trials costs as much per trial in the end as in the beginning.

``python -m tests.benchmarks.search_scale [TRIALS]`` runs searches of trivial trials (20,000 unless given) in
one process: the real coordinator, course and journal, with workers as tasks instead of Ray's processes. As in
a study, its journal is followed by the terminal's view and by what is recorded in MLflow, in steps; MLflow
itself is left out. Random search with one objective, and with two and ``mo_asha``; the optimizer
``asha_random``. Each in a process of its own.

Prints for each the processor time per result of every tenth (the median of ten parts, since a busy machine
disturbs some), and the memory. The last line is one JSON object: for each search, behind its name, ``first``
and ``last`` (seconds per result of the first and the last tenth), their ``ratio``, ``kilobytes`` (growth of
the process per trial, over the second half) and ``record_kilobytes`` (what one history of the study holds per
trial, of which the process has two).
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psutil

from orchestrator.engine.coordinator import LEAVE, Coordinator
from orchestrator.optimizers.asha import Asha
from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.rungs import Rungs
from orchestrator.run.journal import Journal, JournalReader, read_journal
from orchestrator.search.course import Assignment, Course
from orchestrator.search.desk import SearchDesk, Verdicts
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.start import SearchStart
from orchestrator.search.trials.trial_run import Report
from orchestrator.stopping.rules import MoAsha, StoppingRule
from orchestrator.tracking.search import SearchRecord
from orchestrator.tracking.terminal import Follower
from search_spaces import build_space
from tests.benchmarks.measuring import print_figures, progress
from workloads.contract import Fidelity, Objective

TRIALS, WORKERS, TENTHS, PARTS = 20_000, 8, 10, 10
WARM_UP = 500
SHOWN, RECORDED = 50, 150
"""Results between two looks of the terminal and of the recorder at the journal."""

SPACE = build_space({"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "xyz"}})
RUNGS = Rungs(1, 3, 9)
ONE = (Objective("loss"),)
TWO = (Objective("loss", reference=3.0), Objective("size", reference=3.0))


@dataclass(frozen=True)
class Search:
    """What is searched, and how."""

    objectives: tuple[Objective, ...]
    optimizer: Callable[[], Optimizer]
    rule: StoppingRule | None = None


SEARCHES = {
    "random": Search(ONE, lambda: RandomSearch(SPACE, ONE, 0)),
    "mo_asha": Search(TWO, lambda: RandomSearch(SPACE, TWO, 0), MoAsha()),
    "asha_random": Search(ONE, lambda: Asha(SPACE, ONE, 0, Fidelity("step", smallest=1, largest=9))),
}


@dataclass
class Marks:
    """What was measured after each part of a tenth: processor time and memory."""

    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)

    def take(self) -> None:
        self.seconds.append(time.process_time())
        self.bytes.append(psutil.Process().memory_info().rss)


class Followers:
    """The terminal's view and MLflow's record of a journal, which look at it now and then."""

    def __init__(self, path: Path) -> None:
        self._terminal, self._reader, self._record = Follower(path), JournalReader(path), SearchRecord()
        self._results = 0

    def result(self) -> None:
        """A trial has ended."""
        self._results += 1
        if self._results % SHOWN == 0 and (view := self._terminal.poll()) is not None:
            view.line()
        if self._results % RECORDED == 0:
            self._record.feed(self._reader.poll())


def report(assignment: Assignment, rung: int) -> Report:
    """What a trial of quadratic functions says at a rung."""
    x, y, z = (assignment.suggestion.config[name] for name in "xyz")
    levels = [one for one in RUNGS.up_to() if one <= (assignment.suggestion.fidelity or RUNGS.largest)]
    metrics = {"loss": x * x + y + 1 / levels[rung], "size": (1 - x) ** 2 + z + 1 / levels[rung]}
    return Report(levels[rung], metrics, float(rung), done=levels[rung] == levels[-1])


def begun(
    search: Search,
    trials: int,
    workers: int,
    journal: Journal,
    path: Path,
    clock: Callable[[], float] = time.monotonic,
) -> SearchDesk:
    """The desk of a new study, its first line written to ``journal`` at ``path``."""
    start = SearchStart(
        "scale", 0, "", search.rule.name if search.rule else "", trials, workers, "step", RUNGS.up_to(),
        search.objectives, (), ("x", "y", "z"), (), time.time(),
    )  # fmt: skip
    journal.append(start.event())
    course = Course(search.optimizer(), (), trials, RUNGS.largest, journal, (), time.time)
    rule = search.rule
    verdicts = Verdicts(rule.judge(RUNGS, 0), search.objectives, ()) if rule else None
    name = rule.name if rule else ""
    desk = SearchDesk(course, verdicts, name, path, lambda number: None, clock)
    desk.plan(workers)
    return desk


def train_all(coordinator: Coordinator, workers: int, ended: Callable[[], None]) -> None:
    """Let workers pull trials until there are none; ``ended`` is called after each."""

    async def work(worker: int) -> None:
        order, rung = await coordinator.exchange(worker, str(worker)), 0
        while order != LEAVE:
            if order.verb == "begin":
                assignment, rung = order.work, 0
            order = await coordinator.exchange(worker, str(worker), report(assignment, rung))
            rung += 1
            if order.verb != "go_on":
                ended()

    async def everybody() -> None:
        await asyncio.gather(*map(work, range(workers)))

    asyncio.run(everybody())


def run(search: Search, trials: int, path: Path) -> Marks:
    """Run a whole search; the marks have one entry more than there are parts."""
    with Journal(path) as journal:
        desk = begun(search, trials, WORKERS, journal, path)
        coordinator, followers, marks = Coordinator(desk, WORKERS), Followers(path), Marks()
        ended = 0
        marks.take()

        def one_more() -> None:
            nonlocal ended
            followers.result()
            ended += 1
            if ended % (trials // TENTHS // PARTS) == 0:
                marks.take()

        train_all(coordinator, WORKERS, one_more)
    return marks


def held(path: Path) -> int:
    """Bytes that one history of the study holds."""
    events = read_journal(path)
    gc.collect()
    tracemalloc.start()
    history = SearchHistory.from_events(events[:1])
    for event in read_journal(path)[1:]:
        history.extend([event])
    del event
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert history.ended
    return size


def measured(name: str, trials: int) -> dict[str, float]:
    """Run the search of that name, once short to warm up and once as long as asked."""
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the disk is not what is measured
    with tempfile.TemporaryDirectory(dir=folder) as made:
        run(SEARCHES[name], WARM_UP, Path(made) / "short.jsonl")
        path = Path(made) / "journal.jsonl"
        marks = run(SEARCHES[name], trials, path)
        size = held(path)
    parts = [(b - a) / (trials // TENTHS // PARTS) for a, b in pairwise(marks.seconds)]
    costs = [median(parts[start : start + PARTS]) for start in range(0, len(parts), PARTS)]
    progress(f"{name}: ms per result {' '.join(f'{1000 * cost:.2f}' for cost in costs)}")
    progress(f"{name}: MB {' '.join(f'{size / 2**20:.0f}' for size in marks.bytes[::PARTS])}")
    grown = marks.bytes[-1] - marks.bytes[len(marks.bytes) // 2]
    return {
        "first": costs[0],
        "last": costs[-1],
        "ratio": costs[-1] / costs[0],
        "kilobytes": grown / 1024 / (trials / 2),
        "record_kilobytes": size / 1024 / trials,
    }


def main(trials: int) -> None:
    figures: dict[str, object] = {"trials": trials}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in SEARCHES:
            found = processes.submit(measured, name, trials).result()
            figures |= {f"{name}_{key}": value for key, value in found.items()}
    print_figures(figures)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS)
