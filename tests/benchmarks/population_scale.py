"""Whether a result costs the same at the end of a large population study as at its beginning.

``python -m tests.benchmarks.population_scale`` trains populations on 4 islands in this process: the real
coordinator, journal and snapshots, threads in place of Ray, and a workload with nothing to compute. Then it
lets every fold read the journal that came of it, in tenths: the history, MLflow's record, the terminal's view
(once for each generation) and the resume.

Printed for each case: milliseconds of CPU and bytes of memory per result, and what the last tenth of the
results took, divided by what the first did. The garbage collector's whole passes are counted apart
(``passes_ms`` per result): each comes when a quarter more objects live than at the one before, so that they
are ever fewer and ever longer, and one or two of them would decide a tenth. The last line is JSON.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.population.history.history import PopulationHistory
from orchestrator.run.journal import Event, read_journal
from orchestrator.tracking.population import PopulationRecord
from orchestrator.tracking.population_view import PopulationView
from search_spaces import Config
from tests.benchmarks.measuring import print_figures, progress
from tests.orchestrator.population.harness import Population, Walk, evolution_of
from workloads.contract import Device, Metrics, State

ISLANDS = 4
PARTS = 10
PATIENCE = 3600.0


class Still(Walk):
    """A workload that computes next to nothing."""

    def start(self, config: Config, seed: int, device: Device) -> StillSession:  # type: ignore[override]
        del device
        return StillSession(config, seed)


class StillSession:
    """Approaches zero, the faster the higher its learning rate."""

    def __init__(self, config: Config, seed: int) -> None:
        self.config, self.loss = config, 1.0 + seed % 1000 / 1000

    def advance(self, amount: int) -> Metrics:
        self.loss *= (1 - 0.01 * self.config["rate"]) ** amount
        return {"loss": self.loss}

    def configure(self, config: Config) -> None:
        self.config = config

    def state(self) -> State:
        return {"loss": self.loss}

    def load(self, state: State) -> None:
        self.loss = state["loss"]


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def tenths(moments: Sequence[float]) -> list[float]:
    """Seconds between results, by tenths of all results; ``moments``: when each came, one more in front."""
    edges = [round(part * (len(moments) - 1) / PARTS) for part in range(PARTS + 1)]
    return [(moments[end] - moments[start]) / (end - start) for start, end in itertools.pairwise(edges)]


class Passes:
    """CPU time of the garbage collector's whole passes, while it is entered."""

    def __init__(self) -> None:
        self.seconds, self._began = 0.0, 0.0

    def __enter__(self) -> Passes:
        gc.callbacks.append(self._told)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._told)

    def _told(self, phase: str, info: Mapping[str, int]) -> None:
        # All threads wait for a pass, so that the thread that makes it has all of its time.
        if info["generation"] == 2:
            if phase == "start":
                self._began = time.thread_time()
            else:
                self.seconds += time.thread_time() - self._began


class Meter:
    """A journal's clock: this process's CPU time without whole passes; also looks at memory."""

    def __init__(self, passes: Passes) -> None:
        self.memory: list[int] = []
        self._passes = passes

    def __call__(self) -> float:
        self.memory.append(resident_bytes())
        return time.process_time() - self._passes.seconds

    def bytes_per_line(self, start: float, end: float) -> float:
        """What a line between two shares of all lines took."""
        first, last = (round(share * (len(self.memory) - 1)) for share in (start, end))
        return (self.memory[last] - self.memory[first]) / (last - first)


def train(folder: Path, members: int, generations: int, synchronous: bool) -> dict[str, float]:
    """A whole study but for its first generation, in which islands start, and its last, without decisions."""
    with Passes() as passes:
        meter = Meter(passes)
        population = Population(
            folder,
            workload=Still(),
            islands=ISLANDS,
            synchronous=synchronous,
            size=members,
            generations=generations,
            snapshot_interval=generations,
            clock=meter,
        )
        population.train(patience=PATIENCE)
    events = read_journal(population.run.journal)
    moments = sorted(event["time"] for event in events if event["event"] == "interval")
    moments = moments[members - 1 : -members]
    seconds = tenths(moments)
    return {
        "ms": 1000 * (moments[-1] - moments[0]) / (len(moments) - 1),
        "last_to_first": seconds[-1] / seconds[0],
        "passes_ms": 1000 * passes.seconds / (members * generations),
        "bytes_first_half": meter.bytes_per_line(0.1, 0.5),
        "bytes_last_half": meter.bytes_per_line(0.5, 0.9),
    }


def fold(events: Sequence[Event], feed: Callable[[Iterable[Event]], Any]) -> dict[str, float]:
    """A fold that is fed one event after the other, as a study writes them; births are left out."""
    trained = [event for event in events if event["event"] == "interval"]
    feed(events[: events.index(trained[0])])
    # Its few whole passes, which cost the more the later they come, would fall into any of the tenths.
    gc.disable()
    moments, before = [time.process_time()], resident_bytes()
    for event in trained:
        feed([event])
        moments.append(time.process_time())
    gc.enable()
    seconds = tenths(moments)
    return {
        "ms": 1000 * (moments[-1] - moments[0]) / len(trained),
        "last_to_first": seconds[-1] / seconds[0],
        "bytes_per_result": (resident_bytes() - before) / len(trained),
    }


def views(events: Sequence[Event], members: int) -> dict[str, float]:
    """The terminal: a look at the journal for each generation."""
    history, waiting = PopulationHistory.from_events(events[:1]), list[Event]()

    def feed(new: Iterable[Event]) -> None:
        waiting.extend(new)
        if len(waiting) >= members:
            history.extend(waiting)
            waiting.clear()
            PopulationView.of(history).line()

    return fold(events[1:], feed)


def resume(members: int, generations: int, events: Sequence[Event]) -> float:
    """Milliseconds per result to take a journal up."""
    evolution = evolution_of(Still(), size=members, generations=generations)
    began = time.process_time()
    evolution.replay(PopulationHistory.from_events(events))
    return 1000 * (time.process_time() - began) / (members * generations)


def case(members: int, generations: int, synchronous: bool) -> dict[str, float]:
    """All figures of one population, by ``<part>_<figure>``."""
    with tempfile.TemporaryDirectory() as scratch:
        parts = {"study": train(Path(scratch), members, generations, synchronous)}
        events = read_journal(Path(scratch, "journal.jsonl"))
    parts["history"] = fold(events[1:], PopulationHistory.from_events(events[:1]).extend)
    parts["mlflow"] = fold(events, PopulationRecord().feed)
    parts["terminal"] = views(events, members)
    figures = {f"{part}_{name}": value for part, own in parts.items() for name, value in own.items()}
    return {**figures, "resume_ms": resume(members, generations, events)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--members", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--generations", type=int, default=22, help="two more than a multiple of ten")
    parser.add_argument("--modes", nargs="+", default=["synch", "async"], choices=["synch", "async"])
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for members in options.members:
        for mode in options.modes:
            own = case(members, options.generations, mode == "synch")
            progress(f"{members} members, {mode}: " + ", ".join(f"{k} {v:.4g}" for k, v in own.items()))
            figures |= {f"{mode}_{members}_{name}": value for name, value in own.items()}
    print_figures(figures)


if __name__ == "__main__":
    main()
