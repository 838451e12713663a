"""Checksums of what tables hold, whatever Arrow's memory or a Parquet file's bytes look like."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_KEY = b"checksums"


def with_checksums(table: pa.Table) -> pa.Table:
    """The table with a checksum of each column in its metadata."""
    sums = {name: column_checksum(table[name]) for name in table.column_names}
    return table.replace_schema_metadata({_KEY: json.dumps(sums)})


def differing(table: pa.Table, metadata: Mapping[bytes, bytes] | None) -> list[str]:
    """Columns that differ from what they were when a file was written.

    Args:
        metadata: the file's; columns that it has no checksum of differ from nothing.

    Raises:
        ValueError: the metadata are damaged.
    """
    sums = json.loads((metadata or {}).get(_KEY, b"{}"))
    return [
        name for name in table.column_names if name in sums and sums[name] != column_checksum(table[name])
    ]


def column_checksum(column: pa.ChunkedArray) -> str:
    """A column's checksums (CRC-32): which values are there, lengths of texts and lists, all values."""
    sums: list[int] = []
    for chunk in column.chunks:
        _add(chunk, sums, 0)
    return "".join(f"{one:08x}" for one in sums)


def _add(array: pa.Array, sums: list[int], place: int) -> None:
    """Take in another array: ``sums[place]`` says which values are there, the next ones what they are."""
    sums.extend([0] * (place + 2 - len(sums)))
    present = array.is_valid().to_numpy(zero_copy_only=False)
    sums[place] = zlib.crc32(present.tobytes(), sums[place])
    array = array.drop_null()
    if pa.types.is_list(array.type):
        lengths = pc.list_value_length(array)
        sums[place + 1] = zlib.crc32(_numbers(lengths.cast(pa.int64())), sums[place + 1])
        _add(array.flatten(), sums, place + 2)
    elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        lengths = pc.binary_length(array)
        sums[place + 1] = zlib.crc32(_numbers(lengths.cast(pa.int64())), sums[place + 1])
        sums.extend([0] * (place + 3 - len(sums)))
        sums[place + 2] = zlib.crc32(_text(array), sums[place + 2])
    else:
        sums[place + 1] = zlib.crc32(_numbers(array), sums[place + 1])


def _numbers(array: pa.Array) -> bytes:
    return bytes(array.to_numpy(zero_copy_only=False).tobytes())


def _text(array: pa.Array) -> bytes | memoryview:
    """All texts of an array one after the other."""
    if not len(array):
        return b""
    _, offsets, content = array.buffers()
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    places = np.frombuffer(offsets, width)
    first, last = int(places[array.offset]), int(places[array.offset + len(array)])
    return b"" if content is None else memoryview(content)[first:last]
