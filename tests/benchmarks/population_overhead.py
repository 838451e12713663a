"""What a population costs beside its training: this engine against Ray Tune's own PBT.

``python -m tests.benchmarks.population_overhead`` trains 8 members with next to nothing to compute (one step
of the PBT paper's toy per interval) on two CPUs and prints milliseconds per member-interval, counted from the
moment when every member has ended its first interval. The engine runs whole studies (coordinator, two islands
as Ray Tune trials, journal, snapshots as by default). Ray Tune runs a class trainable with one CPU per trial,
reused actors, checkpoints as its PBT needs them and its loggers off. Variants take turns on one Ray; figures
are medians over the rounds.

Ray Tune is given time, not generations: with more members than CPUs its asynchronous PBT rolls trials back as
fast as they advance. The iteration that the most advanced trial reached is printed with its figure. In the
``resident`` variants its trials ask for a quarter of a CPU, so that none is paused for want of one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ray import tune
from ray.tune.schedulers import PopulationBasedTraining

from orchestrator.engine.connection import connect
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.studies import population as population_study
from tests.benchmarks.measuring import print_figures, progress, study_config
from workloads.contract import Device
from workloads.library.pbt_toy import PbtToy

MEMBERS = 8
QUANTILE = 0.25


@dataclass(frozen=True)
class Run:
    """What one run of a variant came to.

    Args:
        milliseconds: per member-interval after start-up.
        iteration: intervals behind the most advanced member's weights.
        intervals: member-intervals that were trained.
    """

    milliseconds: float
    iteration: int
    intervals: int


Interval = tuple[Hashable, float, int]
"""The end of one member-interval: whose, when (seconds), and the iterations behind the member's weights."""


def measured(intervals: Sequence[Interval], members: int = MEMBERS) -> Run:
    """The figures of a run, start-up left out.

    Raises:
        RuntimeError: the run ended with the members' first intervals.
    """
    first: dict[Hashable, float] = {}
    for member, moment, _ in intervals:
        first.setdefault(member, moment)
    started = max(first.values(), default=0.0)
    later = [moment for _, moment, _ in intervals if moment > started]
    if len(first) < members or not later:
        raise RuntimeError(f"nothing to measure: {len(intervals)} intervals of {len(first)} members")
    milliseconds = 1000 * (max(later) - started) / len(later)
    return Run(milliseconds, max(iteration for *_, iteration in intervals), len(intervals))


def run_engine(folder: Path, generations: int, synchronous: bool) -> Run:
    """A study of this engine, as the program runs it."""
    config = study_config(
        "+study=pbt_toy",
        "tracking=none",
        "tracking.terminal=false",
        "cluster.islands=2",
        f"population.size={MEMBERS}",
        f"population.generations={generations}",
        "population.interval=1",
        f"population.synchronous={synchronous}",
        f"population.exploit.quantile={QUANTILE}",
        "population.initial=[]",
        f"workload.steps={generations}",
    )
    with contextlib.redirect_stdout(sys.stderr):
        status = population_study.run(config, folder, resume=False)
    if status != 0:
        raise RuntimeError(f"the study ended with status {status}")
    events = [event for event in read_journal(RunDirectory(folder).journal) if event["event"] == "interval"]
    return measured([(event["member"], event["time"], event["age"]) for event in events])


class ToyTrainable(tune.Trainable):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """The same toy as Ray Tune's PBT wants it."""

    def setup(self, config: dict[str, Any]) -> None:
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.session = PbtToy().start(new_config, 0, Device())
        return True

    def step(self) -> dict[str, float]:
        return dict(self.session.advance(1))

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        Path(checkpoint_dir, "state.json").write_text(json.dumps(self.session.state()))

    def load_checkpoint(self, checkpoint: str) -> None:
        self.session.load(json.loads(Path(checkpoint, "state.json").read_text()))


class RanFor(tune.Stopper):  # type: ignore[misc]  # as above
    """Ends an experiment so many seconds after the last member's first interval, and keeps the time."""

    def __init__(self, seconds: float, members: int = MEMBERS) -> None:
        self.seconds, self.members = seconds, members
        self.intervals: list[Interval] = []
        self.started: dict[Hashable, float] = {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        now = time.perf_counter()
        self.started.setdefault(trial_id, now)
        self.intervals.append((trial_id, now, result["training_iteration"]))
        return False

    def stop_all(self) -> bool:
        begun = len(self.started) == self.members
        return begun and time.perf_counter() > max(self.started.values()) + self.seconds


def run_ray(folder: Path, seconds: float, synchronous: bool, cpus: float = 1.0) -> Run:
    """Ray Tune's PBT for so many seconds after its start-up, with ``cpus`` per trial."""
    ranges = {"h0": tune.uniform(0, 1), "h1": tune.uniform(0, 1)}
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=1,
        quantile_fraction=QUANTILE,
        hyperparam_mutations=ranges,
        synch=synchronous,
    )
    stopper = RanFor(seconds)
    tune.Tuner(
        tune.with_resources(ToyTrainable, {"cpu": cpus}),
        param_space=ranges,
        tune_config=tune.TuneConfig(
            metric="Q",
            mode="max",
            num_samples=MEMBERS,
            scheduler=scheduler,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(folder), stop=stopper, verbose=0),
    ).fit()
    return measured(stopper.intervals)


def variants(generations: int, seconds: float) -> dict[str, Callable[[Path], Run]]:
    """What is measured, by the name of its figures."""
    return {
        "engine_synch": lambda folder: run_engine(folder, generations, True),
        "ray_synch": lambda folder: run_ray(folder, seconds, True),
        "engine_async": lambda folder: run_engine(folder, generations, False),
        "ray_async": lambda folder: run_ray(folder, seconds, False),
        "ray_synch_resident": lambda folder: run_ray(folder, seconds, True, 2 / MEMBERS),
        "ray_async_resident": lambda folder: run_ray(folder, seconds, False, 2 / MEMBERS),
    }


def measure(rounds: int, generations: int, seconds: float) -> dict[str, list[Run]]:
    """All variants, ``rounds`` times one after another."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    runs: dict[str, list[Run]] = {name: [] for name in variants(generations, seconds)}
    settings = study_config("+study=pbt_toy", "cluster.cpus=2")["cluster"]
    with tempfile.TemporaryDirectory() as scratch, connect(settings):
        for number in range(rounds):
            for name, run in variants(generations, seconds).items():
                runs[name].append(run(Path(scratch, f"{name}-{number}")))
                progress(f"round {number + 1}/{rounds} {name}: {runs[name][-1]}")
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="how often every variant runs")
    parser.add_argument("--generations", type=int, default=300, help="in each study of the engine")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run of Ray Tune after its start")
    options = parser.parse_args()
    runs = measure(options.rounds, options.generations, options.seconds)
    cost = {name: median(run.milliseconds for run in past) for name, past in runs.items()}
    print(f"{'variant':<20} {'ms per member-interval':>23} {'best iteration':>15} {'intervals':>10}")
    for name, past in runs.items():
        reached = max(run.iteration for run in past)
        print(f"{name:<20} {cost[name]:>23.2f} {reached:>15} {max(run.intervals for run in past):>10}")
    print_figures(
        {
            "members": MEMBERS,
            "rounds": options.rounds,
            "ms_per_member_interval": cost["engine_synch"],
            "ms_per_member_interval_async": cost["engine_async"],
            "ray_synch_ms": cost["ray_synch"],
            "ray_async_ms": cost["ray_async"],
            "ray_synch_ratio": cost["ray_synch"] / cost["engine_synch"],
            "ray_async_ratio": cost["ray_async"] / cost["engine_async"],
            "ray_async_best_iteration": max(run.iteration for run in runs["ray_async"]),
            "ray_synch_resident_ratio": cost["ray_synch_resident"] / cost["engine_synch"],
            "ray_async_resident_ratio": cost["ray_async_resident"] / cost["engine_async"],
        }
    )


if __name__ == "__main__":
    main()
