"""Which members an island's process is training: what a process that dies leaves to the one after it."""

from __future__ import annotations

import faulthandler
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.population.island.device_faults import DIED, LATE, MEMORY, Fault
from orchestrator.population.island.member import Member
from orchestrator.run.memory import MemoryLimit, taken

DEATH = "an exit, a signal, or too little memory"


class TrainingMark:
    """A file that names the members in training, and ends the process where they take too long or too much.

    A process that ends by itself, or is ended, says nothing any more; its mark does. It is not synced: what a
    process has written outlives it, and where the machine goes down no member is to blame.

    Args:
        path: the file, of one island and of one life of its coordinator: what happens while a driver ends
            counts against nobody.
        limit: seconds that a member's start or interval may take; members that train together have as many
            times as long. None: no limit.
        memory: MiB that the process and all that it has started may take; where it takes more, the members
            are named in whose training it has grown most. None: no limit.
    """

    def __init__(self, path: Path, limit: float | None, memory: float | None = None) -> None:
        self._path, self._limit = path, limit
        self._used_up = path.with_name(f"{path.stem}-memory.json")
        self._grown: defaultdict[int, float] = defaultdict(float)
        self._members: dict[int, Member] = {}
        self._present: tuple[tuple[int, ...], int] = (), 0
        self._memory = (
            None if memory is None else MemoryLimit("population.memory_limit", memory, self._note_memory)
        )
        self._late = path.with_suffix(".txt")
        self._kept = self._late.with_name(f"{self._late.stem}-late.txt")

    def begin(self) -> None:
        """Begin to look at the process's memory, once all is built that members share.

        Raises:
            ConfigurationError: that alone takes more than the limit.
        """
        if self._memory is not None:
            self._memory.begin()

    def left(self) -> tuple[Fault, ...]:
        """The members that trained when the process before this one died; none where it was idle."""
        if self._used_up.exists():
            lines = json.loads(self._used_up.read_text(encoding="utf-8"))
            self._used_up.unlink()
            self._path.unlink(missing_ok=True)
            return tuple(Fault(**line, cause=MEMORY) for line in lines)
        try:
            members = json.loads(self._path.read_text(encoding="utf-8") or "[]")
        except (OSError, ValueError):  # no process was here, or the machine went down
            members = []
        late = self._late.exists() and self._late.stat().st_size > 0
        cause, reason = (LATE, self._overdue()) if late else (DIED, DEATH)
        if late:
            self._late.replace(self._kept)
        self._path.unlink(missing_ok=True)
        return tuple(Fault(**member, reason=reason, cause=cause) for member in members)

    def _overdue(self) -> str:
        return f"longer than population.time_limit ({self._limit:g} s); where it was: {self._kept}"

    @contextmanager
    def around(self, members: Sequence[Member]) -> Iterator[None]:
        """The block trains these members; whoever leaves it, by an exception too, leaves no mark."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(_lines(members)), encoding="utf-8")
        self._members |= {member.number: member for member in members}
        try:
            with self._within(len(members)), self._measured([member.number for member in members]):
                yield
        finally:
            self._path.write_text("", encoding="utf-8")

    @contextmanager
    def _within(self, members: int) -> Iterator[None]:
        """As in a search, see :mod:`orchestrator.search.trials.time_limit`."""
        if self._limit is None:
            yield
            return
        with self._late.open("w", encoding="utf-8") as file:
            faulthandler.dump_traceback_later(self._limit * max(members, 1), exit=True, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()

    @contextmanager
    def _measured(self, members: Sequence[int]) -> Iterator[None]:
        """Note how much the process grows in these members' training."""
        if self._memory is None:
            yield
            return
        self._present = tuple(members), taken()
        try:
            yield
        finally:
            self._grown.update(self._growth(taken()))
            self._present = (), 0

    def _growth(self, now: int) -> dict[int, float]:
        """By member, how much the process has grown in its training up to now; members share it equally."""
        members, before = self._present
        share = (now - before) / max(len(members), 1)
        return {**self._grown, **{member: self._grown[member] + share for member in members}}

    def _note_memory(self, now: int, reason: str) -> bool:
        """Name those in whose training the process has grown most; nobody where nothing has trained."""
        grown = self._growth(now)
        most = max(grown.values(), default=0.0)
        members = [self._members[number] for number, growth in grown.items() if growth == most]
        lines = [{**line, "reason": reason} for line in _lines(members)]
        draft = self._used_up.with_suffix(".part")
        draft.write_text(json.dumps(lines), encoding="utf-8")
        draft.replace(self._used_up)
        return True


def _lines(members: Iterable[Member]) -> list[dict[str, Any]]:
    """The intervals that members train next."""
    return [{"member": m.number, "generation": m.generation + 1, "config": dict(m.config)} for m in members]
