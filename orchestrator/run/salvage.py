"""What is left of a damaged journal: which of its lines are intact, and where they belong."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.run.journal import Event
from orchestrator.run.journal_lines import Line, Position, decoded, event_in, stamped, unstamped


@dataclass(frozen=True)
class Salvage:
    """The intact lines of a journal.

    Args:
        prefix: those from the beginning up to the first that is lost, as they are in the file, without ends.
        rest: the intact ones behind it, in order.
        found: what is wrong with the file, a phrase each.
    """

    prefix: tuple[bytes, ...]
    rest: tuple[bytes, ...]
    found: tuple[str, ...]

    @property
    def kept(self) -> list[Event]:
        """The events of the prefix."""
        return [_event(raw) for raw in self.prefix]

    @property
    def later(self) -> list[Event]:
        """The intact events behind it."""
        return [_event(raw) for raw in self.rest]


def salvaged(path: Path) -> Salvage:
    """What is left of the journal in ``path``; a torn last line is not missed."""
    lines = path.read_bytes().split(b"\n")[:-1]
    parsed = [stamped(raw) for raw in lines]
    runs = Counter(line.position.run for line in parsed if line is not None)
    run = runs.most_common(1)[0][0] if runs else ""
    first = next((number for number, line in enumerate(parsed) if line is not None), len(lines))
    known: dict[int, tuple[int, Line]] = {}
    found: list[str] = []
    for number, line in enumerate(parsed[first:], start=first + 1):
        if line is None:
            found.append(f"line {number} is damaged")
        elif line.position.run != run:
            found.append(f"line {number} is of another run")
        elif line.position.line in known:
            found.append(f"line {number} is a second line {line.position.line}")
        else:
            known[line.position.line] = (number, line)
    end = Position("", first, zlib.crc32(b"".join(raw + b"\n" for raw in lines[:first])))
    early, problems = _of_earlier_versions(lines[:first], known, end.checksum)
    ordered = [known[number] for number in sorted(known)]
    linked = 0 if problems else _linked(ordered, end)
    found = [*problems, *found, *_displaced(ordered), *_missing(ordered, linked, found)]
    raw = [lines[number - 1] for number, _ in ordered]
    return Salvage((*early, *raw[:linked]), tuple(raw[linked:]), tuple(found))


def _of_earlier_versions(
    lines: Sequence[bytes], known: dict[int, tuple[int, Line]], checksum: int
) -> tuple[list[bytes], list[str]]:
    """The lines without a stamp that can be read up to the first that cannot, and what is wrong with them.

    Args:
        checksum: of all lines together.
    """
    readable = list(_readable(lines))
    if len(readable) < len(lines):
        return readable, [f"line {len(readable) + 1} is damaged"]
    covered = known.get(len(lines) + 1)
    if covered is not None and lines and covered[1].before != checksum:
        # Nobody can say which.
        return [], [f"one of lines 1 to {len(lines)} is damaged or missing"]
    return readable, []


def _readable(lines: Sequence[bytes]) -> Iterator[bytes]:
    for raw in lines:
        if not unstamped(raw) or event_in(raw) is None:
            return
        yield raw


def _linked(ordered: Sequence[tuple[int, Line]], position: Position) -> int:
    """How many lines follow one another without a gap."""
    for count, (_, line) in enumerate(ordered):
        if line.position.line != position.line + 1 or line.before != position.checksum:
            return count
        position = line.position
    return len(ordered)


def _displaced(ordered: Sequence[tuple[int, Line]]) -> list[str]:
    """Lines that stand behind later ones."""
    found, last = [], 0
    for number, line in ordered:
        if number < last:
            found.append(f"line {line.position.line} stands behind later ones")
        last = max(number, last)
    return found


def _missing(ordered: Sequence[tuple[int, Line]], linked: int, found: Sequence[str]) -> list[str]:
    """That lines are gone altogether, where no damaged one stands for them."""
    if linked == len(ordered) or any("damaged" in text for text in found):
        return []
    place = ordered[linked][1].position.line
    before = ordered[linked - 1][1].position.line if linked else 0
    if place == before + 1:
        return [f"line {place} was written after others than those before it"]
    return [f"lines before line {place} are missing"]


def _event(raw: bytes) -> Event:
    line = stamped(raw)
    event: Event = decoded(raw if line is None else line.body)
    return event
