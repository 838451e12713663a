"""The append-only journal of a run: the one source of truth that record, views and resume read.

One JSON object per line, which carries a checksum and its place (:mod:`.journal_lines`): readers and the next
writer refuse a line that is damaged, lost, doubled, swapped or of another run. A process killed in the middle
of a write leaves a torn last line, which readers skip and the next writer cuts off, so that every complete
line before it stays valid.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from orchestrator.run.journal_lines import NOT_FINITE, Chain, JournalError, Position
from search_spaces.errors import ConfigurationError

__all__ = [
    "Event",
    "Journal",
    "JournalError",
    "JournalReader",
    "Position",
    "exclusively",
    "positions",
    "read_journal",
]

Event = dict[str, Any]


class Journal:
    """Writes events; each is complete in the file (though perhaps only in the system's cache) on return.

    Args:
        path: the journal's file; made if missing. A torn last line is cut off.

    Attributes:
        position: the last line that was written.

    Raises:
        ConfigurationError: another process writes this journal; two would destroy the run.
        JournalError: a line is damaged, or not where it was written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab+", buffering=0)
        try:
            _lock(self._file, path)
            self.position = self._take_up(path)
        except BaseException:
            self._file.close()
            raise

    def append(self, *events: Mapping[str, Any]) -> None:
        """Write ``events`` in order; they survive the death of this process.

        Raises:
            OSError: the disk is full, or away; what does not fit is not in the file, not even in part.
        """
        lines, position = [], [self.position]
        for event in events:
            body = _encode(event)
            # The first line names the run.
            here = position[-1] if position[-1].run else replace(position[-1], run=secrets.token_hex(4))
            line, after = here.stamp(body)
            lines.append(line + b"\n")
            position.append(after)
        content = b"".join(lines)
        start, written = self._file.seek(0, os.SEEK_END), 0
        try:
            while written < len(content):
                written += self._file.write(content[written:])
        except OSError as error:
            # Nothing could be read behind a torn line.
            error.filename = str(self._path)
            whole = content.rfind(b"\n", 0, written) + 1
            self._file.truncate(start + whole)
            self.position = position[content.count(b"\n", 0, whole)]
            raise
        self.position = position[-1]

    def sync(self) -> None:
        """Return once all that was written is on the disk; it then survives the death of the machine.

        Raises:
            OSError: the disk is full, or away.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            error.filename = str(self._path)
            raise

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_up(self, path: Path) -> Position:
        """Cut a torn last line off; returns where the journal is."""
        self._file.seek(0)
        content = self._file.read()
        complete = content.rfind(b"\n") + 1
        chain = Chain(path)
        for line in _lines(content[:complete]):
            chain.body(line)
        # Only now: nothing is changed in a journal that is refused.
        self._file.truncate(complete)
        self._file.seek(0, os.SEEK_END)
        return chain.position


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Keep everybody else from writing a journal, whatever is in it; does nothing where there is no file.

    Raises:
        ConfigurationError: another process writes it.
    """
    if not path.exists():
        yield
        return
    with path.open("rb+", buffering=0) as file:
        _lock(file, path)
        yield


def _lock(file: BinaryIO | FileIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        expected = "a run that no other process is working on"
        raise ConfigurationError("run.dir", expected, str(path.parent)) from error
    except OSError as error:
        expected = "a file system that locks files (flock), so that no two processes write one run"
        raise ConfigurationError("run.dir", expected, str(path.parent), error.strerror or "") from error


class JournalReader:
    """Follows a journal that another process writes.

    Args:
        path: the journal's file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0
        self._chain = Chain(path)

    @property
    def position(self) -> Position:
        """The last line that was read."""
        return self._chain.position

    def poll(self) -> list[Event]:
        """All complete events written since the last call, oldest first.

        Raises:
            JournalError: a line is damaged, or not where it was written.
        """
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [self._chain.event(line) for line in _lines(complete)]


def read_journal(path: Path) -> list[Event]:
    """All complete events of a journal, oldest first; empty where there is no file.

    Raises:
        JournalError: a line is damaged, or not where it was written.
    """
    return JournalReader(path).poll()


def positions(path: Path) -> list[Position]:
    """Where a journal was after each of its complete lines; empty where there is no file.

    Raises:
        JournalError: a line is damaged, or not where it was written.
    """
    content, chain = path.read_bytes() if path.exists() else b"", Chain(path)
    found = []
    for line in _lines(content[: content.rfind(b"\n") + 1]):
        chain.body(line)
        found.append(chain.position)
    return found


def _lines(complete: bytes) -> list[bytes]:
    """The lines in ``complete``, without their ends."""
    return complete.split(b"\n")[:-1]


_write = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _encode(event: Mapping[str, Any]) -> bytes:
    """The event as a JSON object.

    JSON has no NaN and no infinity; they are written as ``{"$float": "nan"}``.
    """
    try:
        return _write(event).encode()
    except (TypeError, ValueError):
        # A number that is not finite, or a mapping of another type; few lines have one.
        return _write(_plain(event)).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {NOT_FINITE: repr(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
