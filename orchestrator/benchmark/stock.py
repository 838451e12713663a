"""Which of a study's cells are stored, and which are missing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.benchmark.assemble import BenchmarkParts
from orchestrator.benchmark.course import Ended, failures
from orchestrator.benchmark.digest import Digests
from orchestrator.benchmark.history import Failure
from orchestrator.benchmark.merging import keys_of
from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.store import Store


class Stock:
    """The study's cells, as far as they are stored with the digest that they should have.

    A cell that was lost is missing again, unless this object has given it up.

    Args:
        folder: of the store.
        benchmark: the configuration's ``benchmark`` part.
        parts: the study.
        versions: of the software that computes now (:func:`orchestrator.provenance.software`). Cells that
            were computed with others are kept, unless ``mixed_versions`` is false.

    Attributes:
        cells: all that the study has, in the order in which they are computed.
        mixed_versions: whether cells of other versions are kept.
        other_versions: how many stored cells were computed with which other versions.

    Raises:
        ConfigurationError: what is stored has been damaged.
    """

    def __init__(
        self, folder: Path, benchmark: Mapping[str, Any], parts: BenchmarkParts, versions: str = ""
    ) -> None:
        self._store = Store(folder)
        self._store.check()
        self._digests = Digests(benchmark, parts.tasks)
        self.cells = tuple(parts.cells)
        self._parts = parts
        self._given_up: set[CellKey] = set()
        self._current, self.mixed_versions = versions, bool(benchmark["mixed_versions"])
        self._look()

    @property
    def digests(self) -> dict[tuple[str, str], str]:
        """Those that stored cells should have, by task and method."""
        first = self._parts.seeds[0]
        return {pairing: self._digests.of(CellKey(*pairing, first)) for pairing in self._parts.pairings}

    @property
    def digest(self) -> str:
        """Of all that the study is to have: of an extended study it is another one."""
        parts = self._parts
        methods = {name: method.definition for name, method in parts.methods.items()}
        left_out = [asdict(one) for one in parts.left_out]
        whole = [methods, list(self.digests.items()), list(parts.seeds), left_out]
        text = json.dumps(whole, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

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
        return failures(self._ended.values())[0]

    @property
    def lost(self) -> list[Failure]:
        """Cells that this object has given up as lost, and why."""
        return failures(self._ended.values())[1]

    def ended(self, cells: Iterable[CellKey]) -> list[Ended]:
        """Those of ``cells`` that are stored by now."""
        self._look()
        return [self._ended[key] for key in cells if key in self._ended]

    def give_up(self, key: CellKey, reason: str) -> Ended:
        """Store a cell as lost that no process survives."""
        self._given_up.add(key)
        lost = CellResult(key, self._digests.of(key), (), "lost", reason, versions=self._current)
        self._store.append(lost)
        return Ended(key, 0.0, reason, lost=True)

    def compact(self, lost: Iterable[CellKey] = ()) -> None:
        """Look again, once nobody computes any more, and merge the store's files.

        Args:
            lost: cells that were lost and are given up now.
        """
        self._given_up.update(lost)
        self._store.compact()
        self._look()

    def _look(self) -> None:
        table = self._store.cells()
        columns = (table[name].to_pylist() for name in _COLUMNS)
        stored = {
            key: (digest, versions, Ended.of(key, status, seconds, reason))
            for key, digest, versions, status, seconds, reason in zip(keys_of(table), *columns, strict=True)
            if status != "lost" or key in self._given_up
        }
        own = ((key, stored.get(key, ("", "", None))) for key in self.cells)
        found = [
            (key, versions, ended)
            for key, (digest, versions, ended) in own
            if ended and digest == self._digests.of(key)
        ]
        kept = [one for one in found if self.mixed_versions or one[1] == self._current]
        self._ended: dict[CellKey, Ended] = {key: ended for key, _, ended in kept}
        self.other_versions = Counter(versions for _, versions, _ in found if versions != self._current)


_COLUMNS = ("digest", "versions", "status", "seconds", "reason")
