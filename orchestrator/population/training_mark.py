"""Which members an island's process is training: what a process that dies leaves to the one after it."""

from __future__ import annotations

import faulthandler
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.population.device_faults import DIED, LATE, Fault
from orchestrator.population.member import Member

DEATH = "an exit, a signal, or too little memory"


class TrainingMark:
    """A file that names the members in training, and ends the process where they take too long.

    A process that ends by itself, or is ended, says nothing any more; its mark does. It is not synced: what a
    process has written outlives it, and where the machine goes down no member is to blame.

    Args:
        path: the file, of one island and of one life of its coordinator: what happens while a driver ends
            counts against nobody.
        limit: seconds that a member's start or interval may take; members that train together have as many
            times as long. None: no limit.
    """

    def __init__(self, path: Path, limit: float | None) -> None:
        self._path, self._limit = path, limit
        self._late = path.with_suffix(".txt")
        self._kept = self._late.with_name(f"{self._late.stem}-late.txt")

    def left(self) -> tuple[Fault, ...]:
        """The members that trained when the process before this one died; none where it was idle."""
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
        lines = [
            {"member": m.number, "generation": m.generation + 1, "config": dict(m.config)} for m in members
        ]
        self._path.write_text(json.dumps(lines), encoding="utf-8")
        try:
            with self._within(len(members)):
                yield
        finally:
            self._path.write_text("", encoding="utf-8")

    @contextmanager
    def _within(self, members: int) -> Iterator[None]:
        """As in a search, see :mod:`orchestrator.search.time_limit`."""
        if self._limit is None:
            yield
            return
        with self._late.open("w", encoding="utf-8") as file:
            faulthandler.dump_traceback_later(self._limit * max(members, 1), exit=True, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()
