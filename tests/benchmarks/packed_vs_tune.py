"""Member-steps per second of the digits study: this engine's packed islands against Ray Tune's own PBT.

``python -m tests.benchmarks.packed_vs_tune`` trains 8 and 16 members with 20 and 200 training steps between
two looks at the population, synchronously and asynchronously, on two CPUs. The engine runs whole studies as
the program does (probe, coordinator, two islands, journal, snapshots). Ray Tune runs a class trainable around
the same workload with reused actors, its loggers off and checkpoints as its PBT needs them, in two ways: with
one CPU per trial, and with all trials resident at once (shares of a CPU); the faster of the two counts.

Start-up is excluded: the clock starts when every member has ended its first interval, which is printed and
reported as well. The engine's studies are long enough for it to find that compiling pays, which then is part
of its start-up; with ``--study-seconds 12`` they are too short for that. Ray Tune is given time, not
generations. The last line is JSON: how many times as many
member-steps per second the engine makes (the smaller ratio of 8 and 16 members: ``synch_20``, ...), for each
size (``synch_20_8``, ...), and seconds until every member has ended its first interval.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from ray import tune
from ray.tune.schedulers import PopulationBasedTraining

from orchestrator.engine.connection import connect
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.studies import population as population_study
from tests.benchmarks.measuring import print_figures, progress, study_config
from tests.benchmarks.population_overhead import RanFor, measured
from workloads.contract import Device
from workloads.library.digits import Digits
from workloads.state_files import load_state, save_state

CPUS = 2
SIZES, INTERVALS = (8, 16), (20, 200)
MUTABLE = {
    "learning_rate": tune.loguniform(1e-4, 1e-1),
    "weight_decay": tune.loguniform(1e-6, 1e-1),
    "label_smoothing": tune.uniform(0.0, 0.3),
    "dropout": tune.uniform(0.0, 0.6),
}
FIXED = {"width": 64, "activation": "relu"}
"""The same network for all: what Ray Tune's PBT cannot exchange is not exchanged."""


@dataclass(frozen=True)
class Setting:
    """One study.

    Args:
        members: in the population.
        interval: training steps between two looks at it.
        synchronous: whether members wait for one another.
    """

    members: int
    interval: int
    synchronous: bool

    @property
    def name(self) -> str:
        return f"{'synch' if self.synchronous else 'async'}_{self.interval}_{self.members}"


@dataclass(frozen=True)
class Figures:
    """What a run came to.

    Args:
        rate: member-steps per second after start-up.
        startup: seconds until every member had ended its first interval.
    """

    rate: float
    startup: float


def run_engine(folder: Path, setting: Setting, seconds: float, overrides: tuple[str, ...]) -> Figures:
    """A study of this engine that takes the compiled engine about so many seconds on two slow cores."""
    intervals = max(8, round(seconds * 3000 / (setting.interval * setting.members)))
    config = study_config(
        "+study=pbt_digits",
        "tracking=none",
        "tracking.terminal=false",
        f"cluster.islands={CPUS}",
        f"population.size={setting.members}",
        f"population.interval={setting.interval}",
        f"population.generations={intervals}",
        f"workload.steps={setting.interval * intervals}",
        f"population.synchronous={setting.synchronous}",
        "population.exploit.quantile=0.25",
        *(f"~search_space.parameters.{name}" for name in FIXED),
        *overrides,
    )
    began = time.time()
    with contextlib.redirect_stdout(sys.stderr):
        status = population_study.run(config, folder, resume=False)
    if status != 0:
        raise RuntimeError(f"the study ended with status {status}")
    journal = read_journal(RunDirectory(folder).journal)
    for event in journal:
        if event["event"] == "engine":
            progress(f"  engine: {event['engine']} ({event['reason']})")
    ends = [event for event in journal if event["event"] == "interval"]
    run = measured([(event["member"], event["time"], event["age"]) for event in ends], setting.members)
    first = {event["member"]: event["time"] for event in reversed(ends)}
    return Figures(1000 * setting.interval / run.milliseconds, max(first.values()) - began)


class DigitsTrainable(tune.Trainable):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """The same workload as Ray Tune's PBT wants it."""

    def setup(self, config: dict[str, Any]) -> None:
        import torch

        torch.set_num_threads(1)
        self.interval = config["interval"]
        # As far as torch's own seeds go: members differ in weights and batches.
        self.session = Digits().start(self._own(config), hash(self.trial_id) % 2**31, Device())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.session.configure(self._own(new_config))
        return True

    def step(self) -> dict[str, float]:
        return dict(self.session.advance(self.interval))

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        save_state(Path(checkpoint_dir, "state.pt"), self.session.state())

    def load_checkpoint(self, checkpoint: str) -> None:
        self.session.load(load_state(Path(checkpoint, "state.pt")))

    @staticmethod
    def _own(config: dict[str, Any]) -> dict[str, Any]:
        """Ray Tune's PBT leaves the bounds; the workload would refuse what it cannot train with."""
        bounded = {
            "dropout": min(config["dropout"], 0.99),
            "label_smoothing": min(config["label_smoothing"], 1.0),
        }
        own = {name: value for name, value in config.items() if name != "interval"}
        return {**own, **bounded, **FIXED}


def run_tune(folder: Path, setting: Setting, seconds: float, cpus: float) -> Figures:
    """Ray Tune's PBT for so many seconds after its start-up, with ``cpus`` per trial."""
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=1,
        quantile_fraction=0.25,
        hyperparam_mutations=MUTABLE,
        synch=setting.synchronous,
    )
    stopper = RanFor(seconds, setting.members)
    began = time.perf_counter()
    tune.Tuner(
        tune.with_resources(DigitsTrainable, {"cpu": cpus}),
        param_space={**MUTABLE, "interval": setting.interval},
        tune_config=tune.TuneConfig(
            metric="validation_error",
            mode="min",
            num_samples=setting.members,
            scheduler=scheduler,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(folder), stop=stopper, verbose=0),
    ).fit()
    run = measured(stopper.intervals, setting.members)
    return Figures(1000 * setting.interval / run.milliseconds, max(stopper.started.values()) - began)


def measure(
    settings: list[Setting], rounds: int, study_seconds: float, seconds: float, overrides: tuple[str, ...]
) -> dict[str, dict[str, list[Figures]]]:
    """All variants of all settings, by turns; the engine for ``study_seconds``, Ray Tune for ``seconds``."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    found: dict[str, dict[str, list[Figures]]] = {}
    cluster = study_config("+study=pbt_digits", f"cluster.cpus={CPUS}")["cluster"]
    with tempfile.TemporaryDirectory() as scratch, connect(cluster):
        for number, setting in product(range(rounds), settings):
            variants: dict[str, Callable[..., Figures]] = {
                "engine": partial(run_engine, overrides=overrides),
                "tune": partial(run_tune, cpus=1.0),
                "tune_resident": partial(run_tune, cpus=CPUS / setting.members),
            }
            for name, run in variants.items():
                length = study_seconds if name == "engine" else seconds
                figures = run(Path(scratch, f"{setting.name}-{name}-{number}"), setting, length)
                found.setdefault(setting.name, {}).setdefault(name, []).append(figures)
                progress(f"round {number + 1}/{rounds} {setting.name} {name}: {figures}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="how often every variant runs")
    parser.add_argument("--study-seconds", type=float, default=120.0, help="of the engine's studies, about")
    parser.add_argument("--seconds", type=float, default=15.0, help="of Ray Tune's runs after their start")
    parser.add_argument("--only", nargs="*", help="some settings, e.g. synch_20_8 (all)")
    parser.add_argument("overrides", nargs="*", help="of the engine's configuration")
    options = parser.parse_args()
    settings = [
        Setting(size, interval, synch) for synch, interval, size in product((True, False), INTERVALS, SIZES)
    ]
    settings = [setting for setting in settings if not options.only or setting.name in options.only]
    found = measure(
        settings, options.rounds, options.study_seconds, options.seconds, tuple(options.overrides)
    )
    print(f"{'setting':<14} {'variant':<14} {'member-steps/s':>15} {'start-up s':>11}")
    ratios: dict[str, float] = {}
    startup: dict[str, float] = {}
    for name, variants in found.items():
        rate = {variant: median(run.rate for run in runs) for variant, runs in variants.items()}
        for variant, runs in variants.items():
            begin = median(run.startup for run in runs)
            startup.setdefault(f"startup_{variant}", 0.0)
            startup[f"startup_{variant}"] = max(startup[f"startup_{variant}"], begin)
            print(f"{name:<14} {variant:<14} {rate[variant]:>15,.0f} {begin:>11.1f}")
        ratios[name] = rate["engine"] / max(rate["tune"], rate["tune_resident"])
    families = {name.rpartition("_")[0] for name in ratios}
    smallest = {
        family: float(np.min([ratio for name, ratio in ratios.items() if name.startswith(f"{family}_")]))
        for family in sorted(families)
    }
    print_figures({**smallest, **ratios, **startup})


if __name__ == "__main__":
    main()
