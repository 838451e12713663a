"""How long cells take, learnt as they end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from orchestrator.benchmark.records import CellKey

Pairing = tuple[str, str]
"""A task and a method."""


class DurationModel:
    """Expects a cell to take the mean of its pairing, or else of its method per evaluation on other tasks.

    Args:
        evaluations: of each task.
        unknown: seconds that a cell of a method without results is expected to take.
    """

    def __init__(self, evaluations: Mapping[str, int], unknown: float) -> None:
        self._evaluations, self._unknown = evaluations, unknown
        self._pairings: defaultdict[Pairing, _Mean] = defaultdict(_Mean)
        self._methods: defaultdict[str, _Mean] = defaultdict(_Mean)
        self._tallies: list[Tally] = []

    def learn(self, key: CellKey, seconds: float) -> None:
        """Take in how long a cell took."""
        pairing = key.task, key.method
        for tally in self._tallies:
            tally.drop(pairing)
        self._pairings[pairing].add(seconds)
        self._methods[key.method].add(seconds / self._evaluations[key.task])
        for tally in self._tallies:
            tally.restore(pairing)

    def expect(self, task: str, method: str) -> float:
        """Seconds that a cell will take."""
        if (task, method) in self._pairings:
            return self._pairings[task, method].value
        return self.expect_new(method, 1, self._evaluations[task])

    def expect_new(self, method: str, cells: int, evaluations: int) -> float:
        """Seconds that some cells of a method will take, on tasks on which it has no results.

        Args:
            evaluations: of these cells together.
        """
        if method in self._methods:
            return self._methods[method].value * evaluations
        return self._unknown * cells

    def knows(self, pairing: Pairing) -> bool:
        """Whether a cell of the pairing has ended."""
        return pairing in self._pairings

    def evaluations(self, task: str) -> int:
        """The budget of a task."""
        return self._evaluations[task]

    def tally(self) -> Tally:
        """An empty set of cells whose expected time follows what is learnt."""
        self._tallies.append(Tally(self))
        return self._tallies[-1]


class Tally:
    """A set of cells, and how long they are expected to take together.

    The sum is kept up to date: a study may have too many pairings to add them up for every report.
    """

    def __init__(self, model: DurationModel) -> None:
        self._model = model
        self._counts: Counter[Pairing] = Counter()
        self._size, self._known = 0, 0.0
        # Of pairings without results, by method.
        self._new_cells: Counter[str] = Counter()
        self._new_evaluations: Counter[str] = Counter()

    def add(self, key: CellKey) -> None:
        """Add a cell."""
        self._change((key.task, key.method), 1)

    def remove(self, key: CellKey) -> None:
        """Remove a cell."""
        self._change((key.task, key.method), -1)

    @property
    def seconds(self) -> float:
        """Expected for all cells, one after another."""
        if not self._size:
            return 0.0  # without the rounding errors of earlier additions
        new = sum(
            self._model.expect_new(method, cells, self._new_evaluations[method])
            for method, cells in self._new_cells.items()
        )
        return max(self._known, 0.0) + new

    def drop(self, pairing: Pairing) -> None:
        """Leave a pairing's cells out of the sum while the model learns about them."""
        self._weigh(pairing, -self._counts[pairing])

    def restore(self, pairing: Pairing) -> None:
        """Count them again."""
        self._weigh(pairing, self._counts[pairing])

    def _change(self, pairing: Pairing, by: int) -> None:
        self._counts[pairing] += by
        self._size += by
        self._weigh(pairing, by)

    def _weigh(self, pairing: Pairing, cells: int) -> None:
        task, method = pairing
        if self._model.knows(pairing):
            self._known += cells * self._model.expect(task, method)
        else:
            self._new_cells[method] += cells
            self._new_evaluations[method] += cells * self._model.evaluations(task)


class _Mean:
    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        self._sum += value
        self._count += 1

    @property
    def value(self) -> float:
        return self._sum / self._count
