"""Digests of everything that a cell computes from: a stored cell is kept while its digest is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.task import Task
from orchestrator.config.moved import original

FORMAT = 4
"""Raise this with every change of the program that changes the results of cells."""

_OF_THE_STUDY = ("workers", "synchronous", "time_limit")
_OF_THE_SUITE = ("workload", "multi_fidelity", "objectives", "search_space")


class Digests:
    """The digests of a study's cells. The seed is no part of them: it is in the cell's key.

    Args:
        benchmark: the configuration's ``benchmark`` part.
        tasks: by name.
    """

    def __init__(self, benchmark: Mapping[str, Any], tasks: Mapping[str, Task]) -> None:
        self._benchmark, self._tasks = benchmark, tasks
        self._known: dict[tuple[str, str], str] = {}

    def of(self, key: CellKey) -> str:
        """The digest of one cell."""
        pairing = key.task, key.method
        if pairing not in self._known:
            self._known[pairing] = self._made(*pairing)
        return self._known[pairing]

    def _made(self, task_name: str, method: str) -> str:
        task, suite = self._tasks[task_name], self._benchmark["suites"][self._tasks[task_name].suite]
        parts = {
            "format": FORMAT,
            "method": self._benchmark["methods"][method],
            # The name has the instance's parameters.
            "task": [task.name, task.evaluations],
            "suite": _shared(suite),
            **{part: self._benchmark[part] for part in _OF_THE_STUDY},
            # Digests of cells from before that key stay what they were.
            **({"seeds": "task"} if self._benchmark["task_seeds"] else {}),
        }
        return _digest(parts)


def definition_of(suite: Mapping[str, Any]) -> str:
    """The digest of everything that defines a suite's tasks, besides their names.

    Args:
        suite: its part of the configuration.
    """
    return _digest(_shared(suite))


def _shared(suite: Mapping[str, Any]) -> dict[str, Any]:
    return {part: suite[part] for part in _OF_THE_SUITE}


def _digest(parts: Mapping[str, Any]) -> str:
    # Targets count under their first names, so that stored cells survive when a module moves.
    text = json.dumps(original(parts), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
