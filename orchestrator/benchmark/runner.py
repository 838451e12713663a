"""Computes cells in this process; makes what they need on first use, and keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.benchmark.assemble import SUITES
from orchestrator.benchmark.cell import Setup, run_cell
from orchestrator.benchmark.digest import Digests
from orchestrator.benchmark.methods import Method, methods_of
from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.standings import score_of
from orchestrator.benchmark.suite import tasks_of
from orchestrator.benchmark.task import Task
from orchestrator.randomness import user_seed
from workloads.contract import Device


class CellRunner:
    """Computes a study's cells.

    Args:
        config: the whole configuration, resolved, as plain data.
        device: where workloads compute; None: on one thread of the processor.
    """

    def __init__(self, config: Mapping[str, Any], device: Device | None = None) -> None:
        self._benchmark = config["benchmark"]
        self._methods: Mapping[str, Method] = methods_of(self._benchmark["methods"])
        self._setup = Setup(
            workers=self._benchmark["workers"],
            synchronous=self._benchmark["synchronous"],
            time_limit=self._benchmark["time_limit"],
            device=device or Device(),
        )
        self._task_seeds = bool(self._benchmark["task_seeds"])
        self._tasks: dict[str, Task] = {}
        self._digests = Digests(self._benchmark, self._tasks)

    def compute(self, key: CellKey) -> CellResult:
        """One cell, from its beginning to its end."""
        task, method = self._task(key.task), self._methods[key.method]
        digest = self._digests.of(key)
        seed = user_seed(key.seed, "task", key.task) if self._task_seeds else key.seed
        return run_cell(lambda: method.course(task, seed, self._setup), key, digest)

    def score(self, result: CellResult) -> float | None:
        """What a cell of the study ended with, see :func:`.standings.score_of`."""
        return score_of(result, self._task(result.key.task))

    def _task(self, name: str) -> Task:
        if name not in self._tasks:
            suite = name.partition("/")[0]
            made = tasks_of(suite, self._benchmark["suites"][suite], f"{SUITES}.{suite}")
            self._tasks.update({task.name: task for task in made})
        return self._tasks[name]
