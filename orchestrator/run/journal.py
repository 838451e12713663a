"""The append-only journal of a run: the one source of truth that record, views and resume read.

One JSON object per line. A process killed in the middle of a write leaves a torn last line, which readers
skip and the next writer cuts off, so that every complete line before it stays valid.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from search_spaces.errors import ConfigurationError

Event = dict[str, Any]


class Journal:
    """Writes events; each is complete in the file (though perhaps only in the system's cache) on return.

    Args:
        path: the journal's file; made if missing. A torn last line is cut off.

    Raises:
        ConfigurationError: another process writes this journal; two would destroy the run.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab+", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            expected = "a run that no other process is working on"
            raise ConfigurationError("run.dir", expected, str(path.parent)) from error
        self._cut_torn_line()

    def append(self, *events: Mapping[str, Any]) -> None:
        """Write ``events`` in order; they survive the death of this process.

        Raises:
            OSError: the disk is full, or away; what does not fit is not in the file, not even in part.
        """
        content = b"".join(_encode(event) for event in events)
        start, written = self._file.seek(0, os.SEEK_END), 0
        try:
            while written < len(content):
                written += self._file.write(content[written:])
        except OSError:
            # Nothing could be read behind a torn line.
            self._file.truncate(start + content.rfind(b"\n", 0, written) + 1)
            raise

    def sync(self) -> None:
        """Return once all that was written is on the disk; it then survives the death of the machine."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cut_torn_line(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        self._file.truncate(content.rfind(b"\n") + 1)
        self._file.seek(0, os.SEEK_END)


class JournalReader:
    """Follows a journal that another process writes.

    Args:
        path: the journal's file; it need not exist yet.
        offset: the byte to start from, as an earlier reader's :attr:`offset` gave it.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.offset = offset

    def poll(self) -> list[Event]:
        """All complete events written since the last call, oldest first."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self.offset)
            content = file.read()
        complete = content[: content.rfind(b"\n") + 1]
        self.offset += len(complete)
        return list(_decode(complete.splitlines()))


def read_journal(path: Path) -> list[Event]:
    """All complete events of a journal, oldest first; empty where there is no file."""
    return JournalReader(path).poll()


_write = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _encode(event: Mapping[str, Any]) -> bytes:
    try:
        return _write(event).encode() + b"\n"
    except (TypeError, ValueError):
        # A number that is not finite, or a mapping of another type; few lines have one.
        return _write(_plain(event)).encode() + b"\n"


def _decode(lines: Iterable[bytes]) -> Iterable[Event]:
    for line in lines:
        yield json.loads(line, object_hook=_restore)


_NOT_FINITE = "$float"


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity; they are written as ``{"$float": "nan"}``."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_NOT_FINITE: repr(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _restore(value: dict[str, Any]) -> Any:
    return float(value[_NOT_FINITE]) if value.keys() == {_NOT_FINITE} else value
