"""Ray Tune keeps a study's workers: it places them, and restarts those that died."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.engine.losses import cause_of_loss
from orchestrator.engine.ray_private import allow_failures, forgive, prepare_tune
from orchestrator.engine.worker import Worker

Deaths = Callable[[int, str, bool], int]
"""Told of a worker's number, why its process died, and whether there will be no other in its place.

Returns how many new deaths to forgive; each adds one restart.
"""

WINDOW_SECONDS = 3600.0
"""Deaths count for an hour: a worker may live for days, and die every now and then."""

STARTS = 3
"""A worker that restarts without limit is given up once it dies this often in a row before it is set up."""


def run_workers(
    worker: type[Worker],
    *,
    count: int,
    resources: Sequence[Mapping[str, float]],
    name: str,
    storage: Path,
    restarts: int,
    deaths: Deaths,
    halted: threading.Event,
) -> None:
    """Keep ``count`` workers alive until each has left, or the study is halted.

    Args:
        worker: their class, with its parameters.
        resources: what each is given, as bundles of a placement group; it runs in the first.
        name: of Tune's experiment, unique.
        storage: where Tune keeps its files.
        restarts: how often within an hour a worker is started again; -1: without limit, as long as it can be
            set up.
        deaths: told of every process that died.
        halted: set: end at once.
    """
    prepare_tune()
    noun = worker.noun

    def name_of(trial: Any) -> str:
        return f"{noun}-{trial.config['worker']}"

    tuner = tune.Tuner(
        worker,
        param_space={
            "worker": tune.grid_search(list(range(count))),
            "workers": count,
            "resources": [dict(bundle) for bundle in resources],
        },
        tune_config=tune.TuneConfig(
            max_concurrent_trials=count, trial_name_creator=name_of, trial_dirname_creator=name_of
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(storage),
            stop=_WhenHalted(halted),
            # The journal is what a study resumes from.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=restarts),
            callbacks=[_Restarts(deaths, restarts)],
            verbose=0,
        ),
    )
    tuner.fit()


class _WhenHalted(tune.Stopper):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Ends Tune's experiment when the study is halted."""

    def __init__(self, halted: threading.Event) -> None:
        self._halted = halted

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        return self._halted.is_set()

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Restarts(tune.Callback):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Tells of processes that died, and decides for how long Tune starts others in their place."""

    def __init__(self, deaths: Deaths, restarts: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._deaths, self._restarts, self._clock = deaths, restarts, clock
        self._died: dict[int, deque[float]] = defaultdict(deque)
        self._set_up: set[int] = set()
        self._failed_starts: Counter[int] = Counter()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Called once ``setup`` has returned."""
        del iteration, trials, info
        worker = trial.config["worker"]
        self._set_up.add(worker)
        self._failed_starts[worker] = 0
        allow_failures(trial, self._restarts)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        del iteration, trials, info
        worker = trial.config["worker"]
        if worker not in self._set_up:
            self._failed_starts[worker] += 1
        self._set_up.discard(worker)
        self._died[worker].append(self._clock())
        if self._restarts < 0 and self._failed_starts[worker] >= STARTS - 1:
            allow_failures(trial, 0)  # One more is the last.
        excused = self._deaths(worker, cause_of_loss(trial), False)
        forgive(trial, excused)
        for _ in range(min(excused, len(self._died[worker]))):
            self._died[worker].popleft()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: Mapping[str, Any], **info: Any
    ) -> None:
        """Forget deaths of long ago, before another one is counted with them."""
        del iteration, trials, result, info
        died = self._died[trial.config["worker"]]
        while died and self._clock() - died[0] > WINDOW_SECONDS:
            died.popleft()
            forgive(trial, 1)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        del iteration, trials, info
        self._deaths(trial.config["worker"], cause_of_loss(trial), True)

    def __getstate__(self) -> dict[str, Any]:
        return {}
