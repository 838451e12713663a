"""Which of a study's cells are stored, and which are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.benchmark.assemble import BenchmarkParts
from orchestrator.benchmark.course import Ended
from orchestrator.benchmark.digest import Digests
from orchestrator.benchmark.history import Failure
from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.store import Store


class Stock:
    """The study's cells, as far as they are stored with the digest that they should have.

    Args:
        folder: of the store.
        benchmark: the configuration's ``benchmark`` part.
        parts: the study.

    Attributes:
        cells: all that the study has, in the order in which they are computed.
    """

    def __init__(self, folder: Path, benchmark: Mapping[str, Any], parts: BenchmarkParts) -> None:
        self._store = Store(folder)
        self._digests = Digests(benchmark, parts.tasks)
        self.cells = tuple(parts.cells)
        self._look()

    @property
    def missing(self) -> tuple[CellKey, ...]:
        """Cells that are still to be computed."""
        return tuple(key for key in self.cells if key not in self._ended)

    @property
    def finished(self) -> Counter[str]:
        """How many cells of each method have finished."""
        return Counter(key.method for key, one in self._ended.items() if not one.failure)

    @property
    def failures(self) -> list[Failure]:
        """Cells that have failed, and why."""
        return [
            Failure(key.task, key.method, key.seed, one.failure)
            for key, one in self._ended.items()
            if one.failure
        ]

    def ended(self, cells: Iterable[CellKey]) -> list[Ended]:
        """Those of ``cells`` that are stored by now."""
        self._look()
        return [self._ended[key] for key in cells if key in self._ended]

    def give_up(self, key: CellKey, reason: str) -> Ended:
        """Store a cell as failed that no process survives."""
        self._store.append(CellResult(key, self._digests.of(key), (), "failed", reason))
        return Ended(key, 0.0, reason)

    def compact(self) -> None:
        """Look again, once nobody computes any more, and merge the store's files."""
        self._store.compact()
        self._look()

    def _look(self) -> None:
        table = self._store.cells()
        columns = (table[name].to_pylist() for name in _COLUMNS)
        stored = {
            CellKey(task, method, seed): (digest, Ended(CellKey(task, method, seed), seconds, reason))
            for task, method, seed, digest, seconds, reason in zip(*columns, strict=True)
        }
        own = ((key, stored.get(key, ("", None))) for key in self.cells)
        self._ended: dict[CellKey, Ended] = {
            key: ended for key, (digest, ended) in own if ended and digest == self._digests.of(key)
        }


_COLUMNS = ("task", "method", "seed", "digest", "seconds", "reason")
