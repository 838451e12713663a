"""Files that records are appended to, one frame each, so that damage costs no record but its own.

A frame is a mark, the length and the checksum (CRC-32) of what follows, and an Arrow message: first the
schema, then one record after another. The end of a killed process's file is torn, which is nothing to speak
of. Files of earlier versions are plain Arrow streams.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from orchestrator.benchmark.rows import LATER_COLUMNS, RECORD
from workloads.state_files import sync_folder

_MARK = b"\xffCELL\xff\x00\n"
_HEAD = struct.Struct("<8sII")
_SYNC_SECONDS = 1.0
"""Seconds of work that the machine's death may lose: syncing takes longer than computing a fast cell."""


class StreamWriter:
    """Appends records to one file.

    Args:
        path: there is no such file yet.
        clock: seconds; decides when the file is synced.
        schema: of the records.
    """

    def __init__(self, path: Path, clock: Callable[[], float], schema: pa.Schema = RECORD) -> None:
        self._clock = clock
        # Unbuffered: a frame is written at once.
        self._file = path.open("xb", buffering=0)
        self._write(schema.serialize())
        sync_folder(path.parent)
        self._synced = clock()

    def write(self, record: pa.RecordBatch) -> None:
        """Append a record; on return it survives the death of this process.

        Raises:
            OSError: the disk is full, or away; nothing behind can be relied on.
        """
        self._write(record.serialize())
        if self._clock() - self._synced >= _SYNC_SECONDS:
            self._sync()

    def close(self) -> None:
        """Sync the file, and close it."""
        self._sync()
        self._file.close()

    def _write(self, message: pa.Buffer) -> None:
        content = _frame(message.to_pybytes())
        while content:
            content = content[self._file.write(content) :]

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = self._clock()


def _frame(payload: bytes) -> bytes:
    length = struct.pack("<I", len(payload))
    return _HEAD.pack(_MARK, len(payload), zlib.crc32(payload, zlib.crc32(length))) + payload


def batches(path: Path, read: dict[Path, int], damaged: dict[Path, int]) -> Iterator[pa.RecordBatch]:
    """The whole records of a file; none if it has been merged meanwhile.

    Args:
        read: up to where each file has been read; is brought up to date.
        damaged: how many places of each file are damaged, as far as they have been passed; likewise.
    """
    try:
        with path.open("rb") as file:
            early = file.read(4) == b"\xff\xff\xff\xff"
            content = b"" if early else _mapped(file)
        yield from _of_an_earlier_version(path, read) if early else _framed(path, content, read, damaged)
    except FileNotFoundError:
        return
    except OSError:
        damaged[path] = damaged.get(path, 0) + 1


def _mapped(file: BinaryIO) -> mmap.mmap | bytes:
    """A file's content; in memory where the file system cannot map it, or there is none."""
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        file.seek(0)
        return file.read()


def _framed(
    path: Path, content: mmap.mmap | bytes, read: dict[Path, int], damaged: dict[Path, int]
) -> Iterator[pa.RecordBatch]:
    place, schema = read.get(path, 0), None
    while (found := _next(content, place)) is not None:
        start, end, payload = found
        if start > place:
            damaged[path] = damaged.get(path, 0) + 1
        place = end
        if payload is None:
            damaged[path] = damaged.get(path, 0) + 1
        elif schema is None and start == 0:
            schema = pa.ipc.read_schema(pa.py_buffer(payload))
        else:
            record = pa.ipc.read_record_batch(pa.py_buffer(payload), schema or _schema(content))
            yield _completed(record)
        read[path] = place


def _next(content: mmap.mmap | bytes, place: int) -> tuple[int, int, bytes | None] | None:
    """The next frame at or behind a place: where it begins and ends, and its payload.

    None: there is no other. The payload of a damaged one is None.
    """
    start = place
    while (start := content.find(_MARK, start)) >= 0:
        if start + _HEAD.size > len(content):
            return None
        _, length, checksum = _HEAD.unpack_from(content, start)
        end = start + _HEAD.size + length
        payload = content[start + _HEAD.size : end]
        if zlib.crc32(payload, zlib.crc32(struct.pack("<I", length))) == checksum:
            return start, end, payload
        following = content.find(_MARK, start + 1)
        if following < 0:
            # Torn, unless all of it is there.
            return (start, end, None) if end == len(content) else None
        if following == end:
            return start, end, None
        start = following
    return None


def _schema(content: mmap.mmap | bytes) -> pa.Schema:
    """What a file's first frame says; that of today where it is damaged."""
    found = _next(content, 0)
    whole = found is not None and found[0] == 0 and found[2] is not None
    return pa.ipc.read_schema(pa.py_buffer(found[2])) if found is not None and whole else RECORD


def _of_an_earlier_version(path: Path, read: dict[Path, int]) -> Iterator[pa.RecordBatch]:
    # The end raises, and so do torn records, an empty file and a missing one.
    ends = contextlib.suppress(EOFError, pa.ArrowInvalid, OSError)
    with ends, pa.memory_map(str(path)) as source:
        schema = pa.ipc.read_schema(source)
        source.seek(read.get(path, source.tell()))
        while True:
            record = pa.ipc.read_record_batch(pa.ipc.read_message(source), schema)
            record.validate(full=True)
            read[path] = source.tell()
            yield _completed(record)


def _completed(record: pa.RecordBatch) -> pa.RecordBatch:
    """A record with the columns that its version did not store."""
    for name, absent in LATER_COLUMNS.items():
        if name not in record.schema.names:
            empty = pa.array([absent] * len(record), RECORD.field(name).type)
            record = record.append_column(name, empty)
    return record.select(RECORD.names)
