"""Merges stored cells: one result per cell, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.rows import CELLS, EVALUATIONS, KEY_NAMES

Rows = NDArray[np.int64]
_Key = tuple[str, str, int]


class LostError(Exception):
    """The evaluations of the cell ``key`` are missing."""

    def __init__(self, key: CellKey) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True)
class Part:
    """Some cells.

    Args:
        cells: one row per cell (:data:`.rows.CELLS`), oldest first; a cell may occur several times.
        evaluations: of all cells (:data:`.rows.EVALUATIONS`), those of a cell one after the other.
        starts: the row of each cell's first evaluation, shape ``(cells,)``; negative where the cell's
            evaluations are gone, or others have taken their place.
    """

    cells: pa.Table
    evaluations: pa.Table
    starts: Rows


def of_records(records: pa.Table) -> Part:
    """The cells in ``records`` (:data:`.rows.RECORD`, of one chunk)."""
    lists = records["evaluations"].combine_chunks()
    cells = cells_of(records)
    owners = pc.list_parent_indices(lists)
    keys = [pc.take(records[name], owners) for name in KEY_NAMES]
    evaluations = pa.table([*keys, *lists.flatten().flatten()], schema=EVALUATIONS)
    ends = np.cumsum(_numbers(cells["evaluations"]))
    return Part(cells, evaluations, ends - _numbers(cells["evaluations"]))


def cells_of(records: pa.Table) -> pa.Table:
    """The cells in ``records`` (:data:`.rows.CELLS`)."""
    counts = pc.list_value_length(records["evaluations"]).cast(pa.int64())
    return records.set_column(CELLS.get_field_index("evaluations"), "evaluations", counts)


def of_tables(cells: pa.Table, evaluations: pa.Table) -> Part:
    """The cells in two tables; evaluations of one cell stand together.

    ``evaluations`` may have other cells than ``cells``, and others' results: they were written one after the
    other. They may lack columns besides the key.
    """
    first = np.zeros(len(evaluations), dtype=bool)
    first[:1] = True
    for name in KEY_NAMES:
        codes = evaluations[name].dictionary_encode().combine_chunks().indices.to_numpy()
        first[1:] |= codes[1:] != codes[:-1]
    rows = np.flatnonzero(first)
    lengths = np.diff(np.append(rows, len(evaluations)))
    stored = zip(_keys(evaluations.take(rows)), rows.tolist(), lengths.tolist(), strict=True)
    found = {key: (start, length) for key, start, length in stored}
    counts = cells["evaluations"].to_pylist()
    starts = [_start(found.get(key), count) for key, count in zip(_keys(cells), counts, strict=True)]
    return Part(cells, evaluations, np.array(starts, dtype=np.int64))


def joined(parts: Sequence[Part]) -> Part:
    """All cells of several parts, the oldest part first."""
    sizes = np.cumsum([0, *(len(part.evaluations) for part in parts)])
    starts = [
        np.where(part.starts < 0, -1, part.starts + size)
        for part, size in zip(parts, sizes[:-1], strict=True)
    ]
    return Part(
        pa.concat_tables([part.cells for part in parts]),
        pa.concat_tables([part.evaluations for part in parts]),
        np.concatenate(starts),
    )


def newest(part: Part) -> tuple[pa.Table, pa.Table]:
    """One result per cell, and their evaluations, both ordered by key.

    Raises:
        LostError: a result's evaluations are not there.
    """
    chosen = newest_rows(part.cells)
    require(part, chosen)
    cells = part.cells.take(chosen)
    counts, starts = _numbers(cells["evaluations"]), part.starts[chosen]
    ends = np.cumsum(counts)
    within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
    return cells, part.evaluations.take(np.repeat(starts, counts) + within)


def require(part: Part, rows: Rows) -> None:
    """Make sure that the evaluations of some cells are there.

    Raises:
        LostError: they are not.
    """
    lost = rows[part.starts[rows] < 0]
    if len(lost):
        raise LostError(keys_of(part.cells.take(lost[:1]))[0])


def newest_rows(cells: pa.Table) -> Rows:
    """The row of the newest result per cell, ordered by key; the same result again is no newer one."""
    statuses = cells["status"].to_pylist()
    made = list(zip(cells["digest"].to_pylist(), cells["versions"].to_pylist(), strict=True))
    chosen: dict[_Key, int] = {}
    for row, key in enumerate(_keys(cells)):
        known = chosen.get(key)
        if known is None or made[known] != made[row] or statuses[known] != "finished":
            chosen[key] = row
    return np.array([chosen[key] for key in sorted(chosen)], dtype=np.int64)


def keys_of(table: pa.Table) -> list[CellKey]:
    """The cell of each row."""
    return [CellKey(*key) for key in _keys(table)]


def _keys(table: pa.Table) -> Iterator[_Key]:
    """As tuples, which are faster to make and to compare; so are NumPy's lists than Arrow's."""
    return zip(*(table[name].to_numpy().tolist() for name in KEY_NAMES), strict=True)


def _start(found: tuple[int, int] | None, count: int) -> int:
    """Where a cell's evaluations begin, given where its first one is and how many follow one another."""
    start, length = (0, 0) if found is None else found
    return start if count in (0, length) else -1


def _numbers(column: pa.ChunkedArray) -> Rows:
    return np.asarray(column.to_numpy(), dtype=np.int64)
