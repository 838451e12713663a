"""What a program prints: the newest part in a file, the last lines for errors, all of it for a reader."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_TAIL = 16 * 1024
_LONGEST_LINE = 300


class Output:
    """What one program prints.

    Args:
        log: the file that it is appended to; None: it is in no file. A file that cannot be written loses
            output, but fails no training.
        most: bytes of the file beyond which its older half is dropped.
        heading: a line above it.
        printed: gets what is printed on standard output.
    """

    def __init__(self, log: Path | None, most: int, heading: str, printed: Callable[[bytes], object]) -> None:
        self._log, self._most, self._sink = log, most, printed
        self._tail = b""
        self._file: BinaryIO | None = None
        self._size = 0
        # An argument may hold what UTF-8 does not, such as a byte of a file's name.
        self._append(f"--- {heading} ---\n".encode(errors="backslashreplace"))

    def take(self, data: bytes, *, printed: bool) -> None:
        """The program has printed ``data``, on standard output or on standard error."""
        self._tail = data[-_TAIL:] if len(data) >= _TAIL else (self._tail + data)[-_TAIL:]
        self._append(data)
        if printed:
            self._sink(data)

    def last(self, count: int) -> list[str]:
        """The last lines that are not empty."""
        lines = [line.strip() for line in self._tail.decode(errors="replace").splitlines()]
        return [line[:_LONGEST_LINE] for line in lines if line][-count:]

    def _append(self, data: bytes) -> None:
        if self._log is None:
            return
        with suppress(OSError):
            if self._file is None:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._log.open("a+b", buffering=0)
                self._size = self._file.seek(0, 2)
            if self._size + len(data) > self._most:
                self._size, data = 0, _newest(self._file, data, self._most // 2)
                self._file.truncate(0)
            self._size += self._file.write(data)


def _newest(file: BinaryIO, data: bytes, most: int) -> bytes:
    """The last ``most`` bytes of what ``file`` holds and ``data`` after it, from a line's begin on."""
    kept = b""
    if len(data) < most:
        file.seek(-min(file.seek(0, 2), most - len(data)), 2)
        kept = file.read()
    newest = (kept + data)[-most:]
    return b"[older output was dropped]\n" + (newest.partition(b"\n")[2] or newest)
