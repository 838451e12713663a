"""What a trial costs besides its training: ours against plain Ray Tune function trainables with OptunaSearch.

``python -m tests.benchmarks.search_overhead [trials]``: a trivial workload on two slots, one Ray, one run;
time from the start of the experiment to its end, start-up of Ray excluded. The last line is JSON:
``seconds_per_trial``, ``peer_seconds_per_trial``, ``ray_ratio``.
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


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main(trials: int = TRIALS) -> None:
    logging.disable(logging.WARNING)
    ray.init(
        address="local", num_cpus=SLOTS, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        each = ours(trials, path / "ours") / trials
        theirs = peer(PEER_TRIALS, path / "peer") / PEER_TRIALS
    ray.shutdown()
    print(
        f"{trials} trials: {1000 * each:.1f} ms each; plain Ray Tune ({PEER_TRIALS}): {1000 * theirs:.1f} ms"
    )
    figures = {"seconds_per_trial": each, "peer_seconds_per_trial": theirs, "ray_ratio": theirs / each}
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
