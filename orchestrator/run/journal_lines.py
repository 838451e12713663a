"""What a journal's line looks like, and how a reader knows that it stands where it was written.

A line is a JSON object whose first key, ``#``, is its stamp: the line's number from 1, the run, the checksum
of the line before and its own. The checksum (CRC-32, which finds every change of up to 32 adjacent bits)
covers all of the line but itself. So a damaged line is found by itself; a lost, doubled or swapped line, and
one of another run or of another copy of this run, by its neighbours.

Lines of earlier versions have no stamp and begin with ``{"event":``. They may only stand before all stamped
lines; the first stamp covers them all.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from search_spaces.errors import ConfigurationError

_STAMP = re.compile(rb'\{"#":"([1-9][0-9]*) ([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8})"([,}])')
_UNSTAMPED = b'{"event":'
REPAIR = "restore the file from a copy, or let resume=<run directory> repair=true do without what is lost"


class JournalError(ConfigurationError):
    """A line of a journal is not the one that was written there; reads as one line, which names it."""

    @classmethod
    def at(cls, path: Path, line: int, expected: str, found: str) -> Self:
        """The error of the file's line ``line``, counted from 1."""
        return cls(f"{path}, line {line}", expected, found, REPAIR)


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a journal is known.

    Args:
        run: the run that it belongs to, 8 hexadecimal digits; empty before its first stamp.
        line: how many lines there are.
        checksum: of the last line; of all lines together before the first stamp.
    """

    run: str = ""
    line: int = 0
    checksum: int = 0

    def stamp(self, body: bytes) -> tuple[bytes, Position]:
        """The next line, without its end, and where the journal is then.

        Args:
            body: a JSON object.
        """
        head = b"%d %s %08x" % (self.line + 1, self.run.encode(), self.checksum)
        checksum = zlib.crc32(body, zlib.crc32(head))
        comma = b"" if body == b"{}" else b","
        line = b'{"#":"%s %08x"%s%s' % (head, checksum, comma, body[1:])
        return line, replace(self, line=self.line + 1, checksum=checksum)


@dataclass(frozen=True, slots=True)
class Line:
    """An intact line with its stamp.

    Args:
        position: where the journal is after it.
        before: the checksum of the line before.
        body: what was written, a JSON object.
    """

    position: Position
    before: int
    body: bytes


def stamped(raw: bytes) -> Line | None:
    """The line with its stamp; None where it has none or is damaged."""
    found = _STAMP.match(raw)
    if found is None:
        return None
    number, run, before, own, after = found.groups()
    body = b"{" + raw[found.end() :] if after == b"," else b"{" + raw[found.end() - 1 :]
    checksum = zlib.crc32(body, zlib.crc32(b" ".join((number, run, before))))
    if b"%08x" % checksum != own:
        return None
    return Line(Position(run.decode(), int(number), checksum), int(before, 16), body)


def unstamped(raw: bytes) -> bool:
    """Whether an earlier version may have written the line."""
    return raw.startswith(_UNSTAMPED)


class Chain:
    """Follows a journal line by line and refuses every line that is not the next one.

    Args:
        path: of the journal, for the refusal.

    Attributes:
        position: up to where it has been followed.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.position = path, Position()
        self._lines = 0

    def body(self, raw: bytes) -> bytes:
        """What was written in the next line, which stands without its end in ``raw``.

        Raises:
            JournalError: it is damaged, or another line belongs here.
        """
        self._lines += 1
        line = stamped(raw)
        if line is None:
            if not unstamped(raw) or self.position.run:
                raise self._error("a damaged line")
            checksum = zlib.crc32(raw + b"\n", self.position.checksum)
            self.position = Position("", self.position.line + 1, checksum)
            return raw
        if problem := self.problem(line):
            raise self._error(problem)
        self.position = line.position
        return line.body

    def event(self, raw: bytes) -> Any:
        """What the next line holds, decoded.

        Raises:
            JournalError: as :meth:`body`; or an earlier version's line is no JSON object.
        """
        event = event_in(self.body(raw))
        if event is None:
            raise self._error("a damaged line")
        return event

    def problem(self, line: Line) -> str:
        """Why an intact line cannot be the next one; empty where it is."""
        here, there = self.position, line.position
        if here.run and there.run != here.run:
            return f"a line of another run ({there.run} instead of {here.run})"
        if there.line > here.line + 1:
            return f"line {there.line}; {_numbers(here.line + 1, there.line - 1)} missing"
        if there.line <= here.line:
            return f"line {there.line} again" if there == here else f"line {there.line}, out of order"
        return "" if line.before == here.checksum else "a line that was written after others than these"

    def _error(self, found: str) -> JournalError:
        expected = "the line that was written there"
        return JournalError.at(self._path, self._lines, expected, found)


def _numbers(first: int, last: int) -> str:
    return f"line {first} is" if first == last else f"lines {first} to {last} are"


NOT_FINITE = "$float"
"""The key of a number that JSON has not."""


def decoded(body: bytes) -> Any:
    """What ``body`` holds, numbers that are not finite included."""
    text = body.decode("utf-8")
    # The hook is called for every object, and makes decoding a third slower.
    return json.loads(text, object_hook=_restore) if NOT_FINITE in text else json.loads(text)


def event_in(body: bytes) -> dict[str, Any] | None:
    """The JSON object in ``body``; None: it holds none."""
    try:
        event = decoded(body)
    except (TypeError, ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _restore(value: dict[str, Any]) -> Any:
    return float(value[NOT_FINITE]) if value.keys() == {NOT_FINITE} else value
