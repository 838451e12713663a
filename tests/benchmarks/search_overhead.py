"""What a trial costs besides its training: ours against plain Ray Tune function trainables with OptunaSearch.

``python -m tests.benchmarks.search_overhead [trials]``: a trivial workload on two slots, one Ray; time from
the start of the experiment to its end, start-up of Ray excluded. Each side runs twice, with a tenth of the
trials and with all. A whole study has what is done once: workers that start, results that are written. What a
further trial costs is the difference between the two. Part of it is the optimizer's own: what bare Optuna
takes to suggest as many trials and to be told of them, which grows with what it knows. The last line is JSON:
``seconds_per_trial``, ``peer_seconds_per_trial`` and ``ray_ratio`` of the larger study,
``further_seconds_per_trial``, ``peer_further_seconds_per_trial`` and ``further_ratio``, and
``optuna_seconds_per_trial`` and ``optuna_further_seconds_per_trial``.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from orchestrator.engine.ray_private import prepare_tune
from orchestrator.studies.search import run
from tests.conftest import composed
from workloads.contract import Metrics

CONF = str(Path(__file__).parents[1] / "orchestrator" / "search" / "conf")
TRIALS, PEER_TRIALS, SLOTS = 200, 30, 2


def sphere(config: dict[str, Any]) -> Metrics:
    """The trivial workload."""
    return {"loss": config["x"] ** 2 + config["y"] ** 2}


def ours(trials: int, folder: Path) -> float:
    """Seconds that a whole study takes, from configuration to results."""
    study = composed(
        "--config-dir",
        CONF,
        "+study=troubled",
        "optimizer=optuna_tpe",
        "workload.steps=1",
        f"search.trials={trials}",
        f"search.concurrency={SLOTS}",
    )
    return _seconds(lambda: run(study, folder, False))


def peer(trials: int, folder: Path) -> float:
    """Seconds that Ray Tune takes with its own means, its outputs off as ours are."""
    prepare_tune()
    tuner = tune.Tuner(
        tune.with_resources(lambda config: tune.report(dict(sphere(config))), {"cpu": 1}),
        param_space={"x": tune.uniform(-1, 1), "y": tune.uniform(-1, 1)},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            num_samples=trials,
            max_concurrent_trials=SLOTS,
            search_alg=OptunaSearch(),
        ),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    )
    return _seconds(tuner.fit)


def bare(trials: int, _: Path) -> float:
    """Seconds that Optuna takes by itself, without workers."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))

    def whole() -> None:
        for _ in range(trials):
            trial = study.ask()
            config = {name: trial.suggest_float(name, -1, 1) for name in ("x", "y")}
            study.tell(trial, dict(sphere(config))["loss"])

    return _seconds(whole)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _costs(study: Callable[[int, Path], float], trials: int, folder: Path) -> tuple[float, float]:
    """Seconds per trial of the whole study, and of each trial beyond its first tenth."""
    few = max(1, trials // 10)
    short = study(few, folder / "short")
    whole = study(trials, folder / "whole")
    return whole / trials, (whole - short) / (trials - few)


def main(trials: int = TRIALS) -> None:
    logging.disable(logging.WARNING)
    ray.init(
        address="local", num_cpus=SLOTS, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        each, further = _costs(ours, trials, path / "ours")
        theirs, their_further = _costs(peer, PEER_TRIALS, path / "peer")
        optunas, optunas_further = _costs(bare, trials, path)
    ray.shutdown()
    for name, count, costs in (
        ("here", trials, (each, further)),
        ("Tune", PEER_TRIALS, (theirs, their_further)),
        ("bare Optuna", trials, (optunas, optunas_further)),
    ):
        print(
            f"{name}: {count} trials, {1000 * costs[0]:.1f} ms each; a further one {1000 * costs[1]:.1f} ms"
        )
    figures = {
        "seconds_per_trial": each,
        "peer_seconds_per_trial": theirs,
        "ray_ratio": theirs / each,
        "further_seconds_per_trial": further,
        "peer_further_seconds_per_trial": their_further,
        "further_ratio": their_further / further,
        "optuna_seconds_per_trial": optunas,
        "optuna_further_seconds_per_trial": optunas_further,
    }
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
