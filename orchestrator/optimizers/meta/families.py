"""Families of tasks to train on, where what they need is installed: functions of BBOB, data sets of LCBench.

Kept for the test, and never looked at in training: BBOB's ill-conditioned functions (10 to 14) and those of
weak structure (20 to 24), instance 1 of the others, LCBench's data sets of YAHPO Gym's suite, and all else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from orchestrator.optimizers.meta.prior import Functions, gathered
from search_spaces.columns import Floats
from workloads.library.functions.bbob import Bbob
from workloads.library.functions.yahpo import FILES, VARIABLE, Yahpo

BBOB = (*range(1, 10), *range(15, 20))
"""The functions that are trained on: separable, moderately conditioned, and multimodal with a structure."""
_DIMENSIONS = (2, 3, 5, 8)
_INSTANCES = (2, 20)
LCBENCH_KEPT = ("167168", "189873", "189906")
_POINTS = 700


def bbob(functions: int, count: int, rng: np.random.Generator) -> Functions:
    """Some of BBOB's functions with random instances, at points of which a part is near one's best points."""
    dim = int(rng.choice(_DIMENSIONS))
    chosen = [_function(int(rng.choice(BBOB)), dim, int(rng.integers(*_INSTANCES))) for _ in range(functions)]
    probes = rng.random((40, dim))
    best = np.argsort(_values(chosen[0], probes))[:4]
    units = gathered(count, dim, rng, probes[best])
    losses = np.array([_values(one, units) for one in chosen])
    return Functions(units, losses, np.zeros(dim, dtype=bool))


class LcBench:
    """The data sets of LCBench, by YAHPO Gym's surrogate, at the same random configurations.

    Args:
        folder: that ``YAHPO_DATA_DIR`` names.
        rng: what the configurations are drawn from.
    """

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        tasks = [Yahpo(instance=one, data_dir=str(folder)) for one in _data_sets(folder)]
        self._units = tasks[0].space.sample_units(_POINTS, rng)
        configs = tasks[0].space.codec.decode(self._units)
        target, full = tasks[0].objectives[0].name, tasks[0].fidelity.largest
        self._losses = -np.array([[one.predict(config, full)[target] for config in configs] for one in tasks])

    def __call__(self, functions: int, count: int, rng: np.random.Generator) -> Functions:
        """Some data sets, at configurations of which a part is among the best of one of them."""
        chosen = rng.choice(len(self._losses), functions, replace=functions > len(self._losses))
        best = np.argsort(self._losses[chosen[0]])[: _POINTS // 8]
        anywhere = rng.choice(_POINTS, count, replace=False)
        good = rng.choice(best, count, replace=len(best) < count)
        rows = np.where(rng.random(count) < rng.choice([0.0, 0.3]), good, anywhere)
        return Functions(
            self._units[rows], self._losses[chosen][:, rows], np.zeros(self._units.shape[1], bool)
        )


def lcbench_folder() -> Path | None:
    """Where YAHPO Gym's files are, if the environment says so and LCBench is among them."""
    folder = Path(os.environ.get(VARIABLE, "")).expanduser()
    there = bool(os.environ.get(VARIABLE)) and all((folder / "lcbench" / name).is_file() for name in FILES)
    return folder if there else None


def _data_sets(folder: Path) -> Iterator[str]:
    space = json.loads((folder / "lcbench" / FILES[0]).read_text(encoding="utf-8"))
    (choices,) = (one["choices"] for one in space["hyperparameters"] if one["name"] == "OpenML_task_id")
    return (one for one in choices if one not in LCBENCH_KEPT)


@cache
def _function(number: int, dim: int, instance: int) -> Bbob:
    return Bbob(function=number, dimension=dim, instance=instance)


def _values(function: Bbob, units: Floats) -> Floats:
    points: Sequence[list[float]] = (10 * units - 5).tolist()
    return np.array([function.metrics(point, 1, 0)["f"] for point in points])
