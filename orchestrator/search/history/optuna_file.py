"""The Optuna journal file of a search, which ``optuna-dashboard <path>`` opens while the search runs, too."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from optuna.storages.journal import JournalFileOpenLock

from orchestrator.run.journal import Event
from orchestrator.run.results import replacing
from orchestrator.search.history.optuna_journal import OptunaJournal, is_ours, without_reopened
from search_spaces import SearchSpace

PATIENCE = 3
"""Seconds after which somebody else's lock counts as left behind; Optuna warns of fewer."""


def export(events: Sequence[Event], space: SearchSpace, path: Path) -> None:
    """Write a study to ``path``, or what the file there lacks of it.

    An SQLite file would take eight times as long.

    Args:
        events: of the study's journal.
        space: what the search tunes.

    Raises:
        OSError: the disk is full, or away.
    """
    OptunaFile(path).add(OptunaJournal(space).feed(without_reopened(events)))


class OptunaFile:
    """Adds lines to a file that others, such as optuna-dashboard, may write to as well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: tuple[int, int] | None = None

    def add(self, lines: Sequence[bytes]) -> bool:
        """Add lines to the file, at first those that it lacks; after a failure the same may be added again.

        Args:
            lines: in the first call all that the file is to have by now. A file with other lines of ours is
                of another study, or of another version of this one, and is written anew.

        Returns:
            Whether they were added: not where the file is not as the last call left it.

        Raises:
            OSError: the disk is full, or away.
        """
        if self._left is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._complete(lines)
            return True
        if not lines or self._left != self._present():
            return self._left == self._present()
        with self._locked():
            if self._left != self._present():
                return False
            self._append(lines, self._left[1])
        return True

    def _complete(self, lines: Sequence[bytes]) -> None:
        content = self._path.read_bytes() if self._path.is_file() else b""
        whole = content[: content.rfind(b"\n") + 1]
        there = whole.splitlines(keepends=True)
        ours = [line for line in there if is_ours(line)]
        if ours == [*lines[: len(ours)]] and (ours or not there):
            self._append(lines[len(ours) :], len(whole))
            return
        others = [line for line in there if not is_ours(line)] if ours else []
        with replacing(self._path) as path:
            path.write_bytes(b"".join([*lines, *others]))
        self._left = self._present()

    def _append(self, lines: Sequence[bytes], size: int) -> None:
        """Write behind the first ``size`` bytes; what follows them was torn."""
        try:
            with self._path.open("r+b" if self._path.exists() else "wb") as file:
                file.truncate(size)
                file.seek(size)
                file.write(b"".join(lines))
        except OSError:
            # Nothing could be read behind a torn line.
            with suppress(OSError):
                os.truncate(self._path, size)
            raise
        self._left = self._present()

    def _present(self) -> tuple[int, int] | None:
        """Which file it is, and its size."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others that heed Optuna's lock from writing."""
        lock = JournalFileOpenLock(str(self._path), grace_period=PATIENCE)
        lock.acquire()
        try:
            yield
        finally:
            with suppress(RuntimeError):  # somebody lost patience with us
                lock.release()
