"""One optimizer on one task with one seed, and a file that remembers what is done."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from orchestrator.archive import Archive
from orchestrator.benchmark.cell import Setup
from orchestrator.benchmark.methods import OptimizerMethod
from orchestrator.benchmark.task import Task
from orchestrator.randomness import derived_seed
from orchestrator.trial import Trial
from tests.benchmarks.bare_libraries import BARE
from tests.benchmarks.measuring import keep_row, kept_rows, progress
from tests.benchmarks.optimizer_tasks import fresh_tasks, later_tasks, latest_tasks, tasks

CONF = Path(__file__).parents[2] / "conf" / "optimizer"
_INTERPOLATED = {"${search.eta}": 3, "${search.fidelity_units}": None}


@dataclass(frozen=True)
class Cell:
    """What is run.

    Args:
        method: a file of conf/optimizer, or with changed arguments ``optuna_nsga2:population_size=50``.
        bare: whether it is the library that runs, with its defaults, without this program's adapter.
        workers: evaluations at a time, simulated.
    """

    method: str
    bare: bool
    task: str
    seed: int
    evaluations: int
    workers: int = 1


@dataclass(frozen=True)
class Result:
    """What came of a cell.

    Args:
        trace: the best loss, or the negative hypervolume, after each trial: small is better; None: nothing
            usable yet.
        seconds: that the whole cell took.
    """

    trace: tuple[float | None, ...]
    seconds: float

    def after(self, trials: int) -> float:
        """The value after so many trials; infinite where there was none."""
        value = self.trace[min(trials, len(self.trace)) - 1] if self.trace else None
        return np.inf if value is None else value

    @property
    def end(self) -> float:
        """The value when the budget was spent."""
        return self.after(len(self.trace))


def definition_of(method: str) -> dict[str, Any]:
    """The arguments of a method, as plain data."""
    name, *changes = method.split(":")
    made: dict[str, Any] = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    made = {
        key: _INTERPOLATED.get(value, value) if isinstance(value, str) else value
        for key, value in made.items()
    }
    return made | {key: yaml.safe_load(value) for key, _, value in (one.partition("=") for one in changes)}


def serves(method: str, task: Task) -> bool:
    """Whether a method can serve a task."""
    return not _method(method).refusal(task, 0)


def chooses_fidelities(method: str) -> bool:
    """Whether a method chooses fidelities."""
    return _method(method).capabilities.fidelity


def run(cell: Cell, task: Task) -> Result:
    """Compute a cell in this process."""
    began = time.perf_counter()
    # Not the same seed on every task: what it draws would be the same, and the tasks not independent.
    seed = derived_seed(cell.seed, cell.task) % 2**31
    trials = BARE[cell.method](task, seed) if cell.bare else _ours(cell, task, seed)
    return Result(tuple(trace(trials, task)), time.perf_counter() - began)


def run_all(cells: Sequence[Cell], file: Path | None) -> dict[Cell, Result]:
    """Compute the cells that ``file`` does not have yet, and add them to it."""
    known = read(file)
    missing = [cell for cell in cells if cell not in known]
    for number, cell in enumerate(missing, start=1):
        result = run(cell, task_of(cell))
        known[cell] = result
        keep_row(file, asdict(cell) | asdict(result))
        side = "bare" if cell.bare else "ours"
        what = f"{cell.method} ({side}) on {cell.task}, seed {cell.seed}"
        progress(f"{number}/{len(missing)} {what}: {result.end:.6g}, {result.seconds:.1f} s")
    return {cell: known[cell] for cell in cells}


def read(file: Path | None) -> dict[Cell, Result]:
    """What a file of results has."""
    names = [field.name for field in fields(Cell)]
    return {
        Cell(**{name: row[name] for name in names}): Result(tuple(row["trace"]), row["seconds"])
        for row in kept_rows(file)
    }


def task_of(cell: Cell) -> Task:
    """The task of a cell, with its budget."""
    return _all_tasks(cell.evaluations)[cell.task]


@cache
def _all_tasks(evaluations: int) -> Mapping[str, Task]:
    parts = (tasks, fresh_tasks, later_tasks, latest_tasks)
    groups = [group for made in parts for group in made(evaluations).values()]
    return {name: task for group in groups for name, task in group.items()}


def trace(trials: Iterable[Trial], task: Task) -> list[float | None]:
    """The best loss so far, or the negative hypervolume, after each of the trials."""
    archive = Archive(task.objectives, task.constraints, task.full if task.multi_fidelity else None)
    ended = list(trials)
    archive.add(ended)
    if len(task.objectives) > 1:
        return [-float(value) for value in archive.hypervolume_over_time()]
    losses = np.where([trial.feasible for trial in ended], archive.losses[:, 0], np.nan)
    best = list(accumulate(losses.tolist(), np.fmin))
    return [None if np.isnan(value) else float(value) for value in best]


def _ours(cell: Cell, task: Task, seed: int) -> list[Trial]:
    course = _method(cell.method).course(task, seed, Setup(workers=cell.workers))
    return [evaluation.trial for evaluation in course]


def _method(name: str) -> OptimizerMethod:
    return OptimizerMethod.of(name.replace(":", " "), definition_of(name))
