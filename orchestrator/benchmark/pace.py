"""How long cells take, learnt as they end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from orchestrator.benchmark.records import CellKey


class Pace:
    """Expects of a cell what its pairing's cells took, else what its method took per evaluation elsewhere.

    Args:
        evaluations: of each task.
        unknown: seconds that a cell of a method is expected to take of which nothing is known yet.
    """

    def __init__(self, evaluations: Mapping[str, int], unknown: float) -> None:
        self._evaluations, self._unknown = evaluations, unknown
        self._pairings: defaultdict[tuple[str, str], _Mean] = defaultdict(_Mean)
        self._methods: defaultdict[str, _Mean] = defaultdict(_Mean)

    def learn(self, key: CellKey, seconds: float) -> None:
        """A cell took so long."""
        self._pairings[key.task, key.method].add(seconds)
        self._methods[key.method].add(seconds / self._evaluations[key.task])

    def expect(self, task: str, method: str) -> float:
        """Seconds that a cell will take."""
        if (task, method) in self._pairings:
            return self._pairings[task, method].value
        if method in self._methods:
            return self._methods[method].value * self._evaluations[task]
        return self._unknown


class _Mean:
    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        self._sum += value
        self._count += 1

    @property
    def value(self) -> float:
        return self._sum / self._count
