"""Which of a study's cells are stored, and which are missing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestrator.benchmark.assemble import BenchmarkParts
from orchestrator.benchmark.desk import Ended, failures
from orchestrator.benchmark.digest import Digests
from orchestrator.benchmark.history import Failure
from orchestrator.benchmark.merging import keys_of
from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.store import Store


class CellIndex:
    """The study's cells; those stored with the right digest count as computed.

    A lost cell is missing again, unless this object has given it up. Picklable: it holds no workload.

    Args:
        folder: of the store.
        benchmark: the configuration's ``benchmark`` part.
        parts: the study.
        versions: of the software that computes now (:func:`orchestrator.run.provenance.software`). Cells that
            were computed with others are kept, unless ``mixed_versions`` is false.

    Attributes:
        cells: all that the study has, in the order in which they are computed.
        digests: what stored cells must have, by task and method.
        digest: of the whole study; changes when it is extended.
        mixed_versions: whether cells of other versions are kept.
        damage: which files of the store are damaged; the cells that were there are missing.
        other_versions: how many stored cells were computed with which other versions.

    Raises:
        ConfigurationError: what is stored has been damaged.
    """

    def __init__(
        self, folder: Path, benchmark: Mapping[str, Any], parts: BenchmarkParts, versions: str = ""
    ) -> None:
        self._store = Store(folder)
        self.damage = self._store.check()
        made, first = Digests(benchmark, parts.tasks), parts.seeds[0]
        self.cells = tuple(parts.cells)
        self.digests = {pairing: made.of(CellKey(*pairing, first)) for pairing in parts.pairings}
        self.digest = _digest(parts, self.digests)
        self.versions, self.mixed_versions = versions, bool(benchmark["mixed_versions"])
        self._given_up: set[CellKey] = set()
        self._look()

    @property
    def missing(self) -> tuple[CellKey, ...]:
        """The cells that remain to be computed."""
        return tuple(key for key in self.cells if key not in self._ended)

    @property
    def finished(self) -> Counter[str]:
        """How many cells of each method have finished."""
        return Counter(key.method for key, one in self._ended.items() if not one.failure)

    @property
    def failures(self) -> list[Failure]:
        """Cells that have failed, and why."""
        return failures(self._ended.values())[0]

    @property
    def lost(self) -> list[Failure]:
        """Cells that this object has given up as lost, and why."""
        return failures(self._ended.values())[1]

    def ended(self, cells: Iterable[CellKey]) -> list[Ended]:
        """The ``cells`` that are stored by now; reads only what was appended since the last call."""
        for table in self._store.appended():
            self._ended.update((one.key, one) for versions, one in self._own(table) if self._keeps(versions))
        return [self._ended[key] for key in cells if key in self._ended]

    def give_up(self, key: CellKey, reason: str) -> Ended:
        """Store as lost a cell that no process survives.

        Raises:
            OSError: the disk is full, or away.
        """
        self._given_up.add(key)
        digest = self.digests[key.task, key.method]
        self._store.append(CellResult(key, digest, (), "lost", reason, versions=self.versions))
        self._store.close()
        return Ended(key, 0.0, reason, lost=True)

    def compact(self, lost: Iterable[CellKey] = ()) -> None:
        """Read the store again once nobody computes any more, and merge its files.

        Args:
            lost: cells that were lost and are given up now.
        """
        self._given_up.update(lost)
        self._store.compact()
        self._look()

    def _look(self) -> None:
        found = {one.key: (versions, one) for versions, one in self._own(self._store.cells())}
        own = [found[key] for key in self.cells if key in found]
        self._ended = {one.key: one for versions, one in own if self._keeps(versions)}
        self.other_versions = Counter(versions for versions, _ in own if versions != self.versions)

    def _own(self, table: pa.Table) -> Iterator[tuple[str, Ended]]:
        """The cells of a table that have the right digest, each with its versions."""
        columns = (table[name].to_pylist() for name in _COLUMNS)
        for key, digest, versions, status, seconds, reason in zip(keys_of(table), *columns, strict=True):
            lost = status == "lost" and key not in self._given_up
            if not lost and self.digests.get((key.task, key.method)) == digest:
                yield versions, Ended.of(key, status, seconds, reason)

    def _keeps(self, versions: str) -> bool:
        return self.mixed_versions or versions == self.versions


_COLUMNS = ("digest", "versions", "status", "seconds", "reason")


def _digest(parts: BenchmarkParts, digests: Mapping[tuple[str, str], str]) -> str:
    methods = {name: method.definition for name, method in parts.methods.items()}
    left_out = [asdict(one) for one in parts.left_out]
    whole = [methods, list(digests.items()), list(parts.seeds), left_out]
    return hashlib.blake2b(
        json.dumps(whole, sort_keys=True, default=str).encode(), digest_size=12
    ).hexdigest()
