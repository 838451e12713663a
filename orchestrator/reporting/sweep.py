"""What the runs of one command (``-m``) reached: a table of them, and a summary over seeds."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.objective import in_own_direction
from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.stored import configuration, read_events
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.search.history.history import SearchHistory
from orchestrator.text import aligned, number
from search_spaces import ConfigurationError
from workloads.contract import Objective

Values = Mapping[str, float]
"""What a run reached, by objective; on held-out data too, where it was judged."""

_STATUS = {0: "complete", INTERRUPTED: "interrupted"}
_SEED, _DIRECTORY = "seed=", "run.dir="


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Args:
        overrides: what the command line says of it.
        status: its exit code.
        path: the run directory; None: there is none.
    """

    overrides: tuple[str, ...]
    status: int
    path: Path | None


def summary(runs: Sequence[SweepRun]) -> Iterator[str]:
    """Lines of text about several runs: each by what it alone was given, then over seeds."""
    reached = [_reached(run.path) for run in runs]
    names = list(dict.fromkeys(name for values in reached for name in values))
    yield f"{len(runs)} runs:"
    rows = [["", "with", "ended", *names]]
    for place, (run, values) in enumerate(zip(runs, reached, strict=True), start=1):
        status = _STATUS.get(run.status, "failed")
        found = [number(values.get(name, np.nan)) for name in names]
        rows.append([f"{place}", " ".join(_own(run, runs)) or "–", status, *found])
    yield from aligned(rows, keys=2)
    yield from _over_seeds(runs, reached, names)
    benchmarks = [run.path for run in runs if _kind(run.path) == "benchmark"]
    if len(benchmarks) > 1:
        listed = shlex.join(map(str, benchmarks))
        yield f"one report of all: python -m orchestrator report {listed} --output <folder>"


def _own(run: SweepRun, runs: Sequence[SweepRun]) -> list[str]:
    """The overrides that not all runs have; the directory says nothing of what is computed."""
    return [
        override
        for override in run.overrides
        if not override.startswith(_DIRECTORY) and not all(override in other.overrides for other in runs)
    ]


def _over_seeds(runs: Sequence[SweepRun], reached: Sequence[Values], names: Sequence[str]) -> Iterator[str]:
    """Of runs that differ in their seeds alone: median, range, mean and standard deviation of each value."""
    groups: defaultdict[str, list[Values]] = defaultdict(list)
    for run, values in zip(runs, reached, strict=True):
        others = (override for override in _own(run, runs) if not override.startswith(_SEED))
        if values:
            groups[" ".join(others)].append(values)
    for same, group in groups.items():
        for name in names:
            found = np.array([values[name] for values in group if np.isfinite(values.get(name, np.nan))])
            if len(found) > 1:
                yield f"{same + ': ' if same else ''}{name} over {len(found)} seeds: {_spread(found)}"


def _spread(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    low, median, high = map(number, np.quantile(values, [0.0, 0.5, 1.0]))
    mean, deviation = number(float(values.mean())), number(float(values.std(ddof=1)))
    return f"median {median} ({low} to {high}), mean {mean}, standard deviation {deviation}"


def _kind(path: Path | None) -> str:
    """The kind of study that a run directory holds; empty where it holds none."""
    if path is None or not RunDirectory(path).config.is_file():
        return ""
    return str(configuration(RunDirectory(path))["study"]["kind"])


def _reached(path: Path | None) -> Values:
    """What a run reached; nothing where it has not begun, or has nothing of its own to name."""
    kind = _kind(path)
    if path is None or kind not in ("population", "search"):
        return {}
    try:
        events = read_events(RunDirectory(path))
    except ConfigurationError:
        return {}
    if kind == "population":
        return _of_population(PopulationHistory.from_events(events))
    return _of_search(SearchHistory.from_events(events))


def _of_population(history: PopulationHistory) -> Values:
    best = history.best()
    test = history.final["test"] if history.final is not None else {}
    return _named(history.start.objectives, best.losses if best else (), test)


def _of_search(history: SearchHistory) -> Values:
    knee = history.knee()
    return _named(history.start.objectives, knee.trial.losses, knee.test) if knee and knee.trial else {}


def _named(objectives: Sequence[Objective], losses: Sequence[float], test: Mapping[str, float]) -> Values:
    if not losses:
        return {}
    values = {one.name: in_own_direction(loss, one) for one, loss in zip(objectives, losses, strict=True)}
    return values | {f"held-out {one.name}": test[one.name] for one in objectives if one.name in test}
