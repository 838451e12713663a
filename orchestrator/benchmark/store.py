"""Results of cells on disk: many cells in few files, each kept as soon as it has ended.

Each process appends to its own file, one record per cell (:mod:`.streams`). A killed process leaves a torn
record at the end, which readers skip, as they do damaged ones. :meth:`Store.compact` merges these files into
``cells.parquet`` and ``evaluations.parquet``, which hold the same bytes, except for the columns ``seconds``
and ``thinking`` of the cells, in whatever order and with however many interruptions the cells were computed.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.benchmark.checksums import differing, with_checksums
from orchestrator.benchmark.merging import (
    LostError,
    cells_of,
    joined,
    keys_of,
    newest,
    newest_rows,
    of_records,
    of_tables,
    require,
)
from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.rows import CELLS, EVALUATIONS, KEY_NAMES, LATER_COLUMNS, record_of
from orchestrator.benchmark.streams import StreamWriter, batches
from orchestrator.run.results import replacing
from search_spaces import ConfigurationError
from workloads.state_files import sync_folder

_CELLS = "cells.parquet"
_EVALUATIONS = "evaluations.parquet"
_ROW_GROUP = 1 << 18
_BLOCK = 1024
"""Records that are read together: each alone takes more memory than its content."""
_RESTORE = "restore both files from a copy, or delete both and resume the study to compute them again"


class Store:
    """The cells of a study in ``folder``; any number of processes may append at the same time.

    Cells are identified by their keys. The last of several results for one key counts, but another with the
    same digest and versions does not replace a finished one.

    Args:
        folder: made when the first cell is kept.
        clock: seconds; decides when files are synced.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._writer: StreamWriter | None = None
        self._read: dict[Path, int] = {}
        self._places: dict[Path, int] = {}

    def append(self, result: CellResult) -> None:
        """Keep a cell that has ended.

        On return it survives the death of this process. It survives the death of the machine once a cell is
        kept a second later, or once the store is closed.

        Raises:
            OSError: the disk is full, or away; the cell is not kept, but others may be.
        """
        if self._writer is None:
            self._writer = StreamWriter(self._new_stream(), self._clock)
        try:
            self._writer.write(record_of(result))
        except OSError:
            # Nothing behind a torn record can be read, so the next cell goes to another file.
            self._writer = None
            raise

    def close(self) -> None:
        """Sync what was appended, and close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check(self) -> list[str]:
        """Make sure that all cells' evaluations are there, before more are added.

        Returns:
            Which files have damaged places; the cells in them count as never computed.

        Raises:
            ConfigurationError: they are not there, or a merged file is damaged; it says what to do.
        """
        self._places.clear()
        fresh = list(self._appended({}))
        stored = of_tables(self._cells(), self._evaluations(KEY_NAMES))
        chosen = newest_rows(pa.concat_tables([stored.cells, *fresh]))
        with self._refusing():
            require(stored, chosen[chosen < len(stored.cells)])
        return [
            f"{path.parent.name}/{path.name} is damaged in {count} place{'s' if count > 1 else ''}; "
            "the cells that were there are computed again"
            for path, count in sorted(self._places.items())
        ]

    def set_aside(self) -> list[str]:
        """Rename merged files that cannot be relied on, so that their cells are computed again.

        Returns:
            What people should know; empty where nothing is wrong with them.
        """
        try:
            self.check()
            self.tables()
        except ConfigurationError as error:
            for path in (self._folder / _CELLS, self._folder / _EVALUATIONS):
                if path.exists():
                    path.replace(path.with_name(f"{path.name}.damaged"))
            return [f"stored cells are computed again ({error.key}: {error.found}); *.damaged has them"]
        return []

    def finished(self) -> dict[CellKey, str]:
        """Digests of all cells that have ended, including failed ones."""
        cells = self.cells()
        return dict(zip(keys_of(cells), cells["digest"].to_pylist(), strict=True))

    def cells(self) -> pa.Table:
        """All cells that have ended (:data:`.rows.CELLS`), ordered by key; evaluations are not read.

        Raises:
            ConfigurationError: one of the merged files is gone.
        """
        fresh = list(self._appended({}))
        cells = pa.concat_tables([self._cells(), *fresh])
        return cells.take(newest_rows(cells)) if fresh else cells

    def appended(self) -> Iterator[pa.Table]:
        """Cells (:data:`.rows.CELLS`) that were appended since the last call and are not merged yet."""
        return self._appended(self._read)

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Cells and evaluations (:data:`.rows.CELLS`, :data:`.rows.EVALUATIONS`), ordered by key and number.

        Cells that another process appends meanwhile may be missing, but never in part.

        Raises:
            ConfigurationError: evaluations are gone.
        """
        # In the opposite order of compaction, so that a simultaneous compaction hides nothing.
        fresh = [of_records(records.combine_chunks()) for records in _records(self._streams(), {}, {})]
        stored = of_tables(self._cells(), self._evaluations())
        with self._refusing():
            if fresh:
                return newest(joined([stored, *fresh]))
            require(stored, np.arange(len(stored.cells)))
        return stored.cells, stored.evaluations

    def compact(self) -> None:
        """Merge all files into two, while nobody appends.

        It may be killed at any moment; the next call merges the rest.
        """
        self.close()
        streams = self._streams()
        if not streams:
            return
        for left_behind in self._folder.glob(".*.parquet.*"):
            left_behind.unlink()
        cells, evaluations = self.tables()
        # A cell's evaluations are written before the cell.
        _write(self._folder / _EVALUATIONS, evaluations)
        _write(self._folder / _CELLS, cells)
        sync_folder(self._folder)
        for path in streams:
            path.unlink()

    def _appended(self, read: dict[Path, int]) -> Iterator[pa.Table]:
        """The cells in the streams after ``read``, without their evaluations."""
        return (
            cells_of(records).combine_chunks() for records in _records(self._streams(), read, self._places)
        )

    def _cells(self) -> pa.Table:
        cells, evaluations = self._folder / _CELLS, self._folder / _EVALUATIONS
        if cells.exists():
            # Evaluations are written first.
            lost = not evaluations.exists()
        else:
            # An unfinished compaction leaves the streams; it may finish meanwhile.
            lost = evaluations.exists() and not self._streams() and not cells.exists()
        if lost:
            raise self._damaged(f"both {_CELLS} and {_EVALUATIONS}, or neither", "one of them")
        return _read(cells, CELLS)

    def _evaluations(self, columns: Sequence[str] = EVALUATIONS.names) -> pa.Table:
        schema = pa.schema([EVALUATIONS.field(name) for name in columns])
        return _read(self._folder / _EVALUATIONS, schema)

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        """Say what to do if evaluations are missing."""
        try:
            yield
        except LostError as error:
            cell = f"{error.key.method} on {error.key.task} with seed {error.key.seed}"
            expected = f"in {_EVALUATIONS} as many evaluations of every cell as {_CELLS} says"
            raise self._damaged(expected, f"fewer, or others, of {cell}") from error

    def _damaged(self, expected: str, found: str) -> ConfigurationError:
        return ConfigurationError(str(self._folder), expected, found, _RESTORE)

    def _new_stream(self) -> Path:
        """A path of our own that sorts after those of all earlier processes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        last = max((int(path.name.partition("-")[0]) for path in self._streams()), default=0)
        return self._folder / f"{last + 1:08}-{uuid.uuid4().hex}.arrows"

    def _streams(self) -> list[Path]:
        return sorted(self._folder.glob("*.arrows"))


def _records(streams: Iterable[Path], read: dict[Path, int], damaged: dict[Path, int]) -> Iterator[pa.Table]:
    """Records in some files, in order, as tables of many.

    Args:
        read, damaged: as :func:`.streams.batches`.
    """
    records = (record for path in streams for record in batches(path, read, damaged))
    while block := list(islice(records, _BLOCK)):
        yield pa.Table.from_batches(block)


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.exists():
        return schema.empty_table()
    try:
        table = pq.read_table(path, schema=schema, page_checksum_verification=True)
        wrong = differing(table, pq.read_metadata(path).metadata)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = f"one that cannot be read ({type(error).__name__})"
        raise ConfigurationError(str(path), "a table that is as it was written", reason, _RESTORE) from error
    if wrong:
        reason = f"one whose {', '.join(wrong)} fails its checksum"
        raise ConfigurationError(str(path), "a table that is as it was written", reason, _RESTORE)
    for name, absent in LATER_COLUMNS.items():
        if name in schema.names and absent is not None:
            place = schema.get_field_index(name)
            table = table.set_column(place, schema.field(name), table[name].fill_null(absent))
    return table


def _write(path: Path, table: pa.Table) -> None:
    """Replace ``path`` by ``table``; the same rows give the same bytes."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        content = with_checksums(table.combine_chunks())
        pq.write_table(content, file, row_group_size=_ROW_GROUP, compression="zstd", write_page_checksum=True)
        file.flush()
        os.fsync(file.fileno())
