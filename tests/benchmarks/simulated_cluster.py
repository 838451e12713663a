"""How busy a search keeps the workers of a large cluster: the real coordinator, simulated workers, no Ray.

``python -m tests.benchmarks.simulated_cluster [WORKERS ...]`` (64, 512 and 2,000 unless given) runs
searches of ten trials a worker in simulated time. Workers sleep for as long as their trials train, and the
clock jumps over that; the coordinator is the program's own, with journal, course and optimizer, and the
clock advances by the processor time that it really takes. While it is busy with one worker, the others wait
for it. Each call also takes ``LATENCY`` each way. Ray's own share of the coordinator's time is left out: a
call costs it about a millisecond.

Training times are log-normal, so that workers do not ask in step; once with a minute on average and once
with ten seconds. Each trial reports at three rungs. The start, in which all workers ask at once, counts;
the end, in which the last trials run alone, does not: utilisation is measured up to the moment when no
trial is left to hand out. The last line is one JSON object: for each size and mean, the share of their time
in which workers trained. (DeepHyper, arXiv 2207.12877, reports above 95 % with 1,920 workers.)
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from orchestrator.engine.coordinator import LEAVE, Coordinator
from orchestrator.optimizers.random import RandomSearch
from orchestrator.run.journal import Journal
from orchestrator.trial import Suggestion
from tests.benchmarks.measuring import print_figures, progress
from tests.benchmarks.search_scale import ONE, SEARCHES, SPACE, Search, begun, report

SIZES, TRIALS_A_WORKER = (64, 512, 2_000), 10
MEANS = (60.0, 10.0)
SPREAD, RUNGS, LATENCY = 0.5, 3, 0.001
SEARCH_NAMES = ("random", "asha_random")
THINKERS, THINKING_WORKERS, THINKING_MEAN = {"per_ask": False, "each": True}, 16, 10.0

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Does not wait for a time to come: says how long it would have waited.

    It does wait where a thread is at work, whose result may come sooner.
    """

    def __init__(self) -> None:
        super().__init__()
        self.skipped, self.threads = 0.0, 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if self.threads or timeout is None:
            return super().select(timeout)
        found = super().select(0)
        if not found and timeout > 0:
            self.skipped += timeout
        return found


class Thinking(threading.local):
    """For how many simulated seconds this thread has been thinking; ``each``: a second per suggestion."""

    def __init__(self, each: bool = False) -> None:
        self.each, self.seconds = each, 0.0

    def taken(self) -> float:
        """The seconds since this was last asked."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


class Thinker(RandomSearch):
    """Random search that thinks for a simulated second."""

    def __init__(self, thinking: Thinking) -> None:
        super().__init__(SPACE, ONE, 0)
        self._thinking = thinking

    def ask(self, n: int = 1) -> list[Suggestion]:
        self._thinking.seconds += n if self._thinking.each else 1
        return super().ask(n)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is this process's processor time plus what nobody had to wait for.

    Args:
        thinking: for how long threads have been thinking; their results come that much later.
    """

    def __init__(self, thinking: Thinking | None = None) -> None:
        self._jumping, self._thinking = _Jumping(), thinking or Thinking()
        super().__init__(self._jumping)

    def time(self) -> float:
        return time.process_time() + self._jumping.skipped

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        self._jumping.threads += 1
        late: asyncio.Future[T] = self.create_future()

        def timed() -> tuple[T, float]:
            return func(*args), self._thinking.taken()

        def done(ended: asyncio.Future[tuple[T, float]]) -> None:
            self._jumping.threads -= 1
            result, seconds = ended.result()
            self.call_later(seconds, late.set_result, result)

        super().run_in_executor(executor, timed).add_done_callback(done)
        return late


async def utilisation(search: Search, workers: int, mean: float, path: Path) -> float:
    """The share of their time in which ``workers`` trained, up to the last trial's start."""
    rng = np.random.default_rng(0)
    trials = TRIALS_A_WORKER * workers
    loop = asyncio.get_running_loop()
    spans: list[tuple[float, float]] = []
    last_start = loop.time()
    with Journal(path) as journal:
        coordinator = Coordinator(begun(search, trials, workers, journal, path, loop.time), workers)
        began = loop.time()

        async def ask(worker: int, news: Any = None) -> Any:
            await asyncio.sleep(LATENCY)
            order = await coordinator.exchange(worker, str(worker), news)
            await asyncio.sleep(LATENCY)
            return order

        async def work(worker: int) -> None:
            nonlocal last_start
            order, rung = await ask(worker), 0
            while order != LEAVE:
                if order.verb == "begin":
                    assignment, rung = order.work, 0
                    last_start = loop.time()
                seconds = float(rng.lognormal(np.log(mean / RUNGS) - SPREAD**2 / 2, SPREAD))
                until = loop.time() + seconds
                spans.append((until - seconds, until))
                await asyncio.sleep(seconds)
                order = await ask(worker, report(assignment, rung))
                rung += 1

        await asyncio.gather(*map(work, range(workers)))
    starts, ends = np.array(spans).T
    busy = np.clip(np.minimum(ends, last_start) - starts, 0.0, None).sum()
    return float(busy / (workers * (last_start - began)))


def measured(name: str, workers: int, mean: float) -> float:
    """The same, in a folder of its own."""
    thinking = Thinking(each=THINKERS.get(name, False))
    search = Search(ONE, lambda: Thinker(thinking)) if name in THINKERS else SEARCHES[name]
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the disk is not what is measured
    with (
        tempfile.TemporaryDirectory(dir=folder) as made,
        asyncio.Runner(loop_factory=partial(SimulatedLoop, thinking)) as runner,
    ):
        share = runner.run(utilisation(search, workers, mean, Path(made) / "journal.jsonl"))
    progress(f"{name}, {workers} workers, {mean:.0f} s a trial: {100 * share:.1f} % of their time")
    return share


def main(sizes: tuple[int, ...]) -> None:
    searches = [(name, workers, mean) for name in SEARCH_NAMES for workers in sizes for mean in MEANS]
    searches += [(name, THINKING_WORKERS, THINKING_MEAN) for name in THINKERS]
    print_figures(
        {f"{name}_{workers}_{mean:.0f}s": measured(name, workers, mean) for name, workers, mean in searches}
    )


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
