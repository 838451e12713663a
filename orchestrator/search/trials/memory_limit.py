"""The end of a trial whose process takes more memory than ``search.memory_limit``."""

from __future__ import annotations

from pathlib import Path

from orchestrator.run.directory import RunDirectory
from orchestrator.run.memory import MemoryLimit, taken


def _mark(run: RunDirectory, number: int) -> Path:
    return run.tune / "memory" / f"trial-{number}.txt"


def greedy(run: RunDirectory, number: int) -> str | None:
    """Why a trial was ended, if it was because it took too much memory."""
    mark = _mark(run, number)
    return mark.read_text(encoding="utf-8") if mark.exists() else None


class TrialMemory:
    """Ends a process that trains one trial after another where it takes too much memory.

    That is the present trial's fault if it took more than those before it have left behind; otherwise it is
    lost, and tried again in a new process.

    Args:
        run: the run directory.
        limit: MiB that the process and all that it has started may take; None: no limit.
    """

    def __init__(self, run: RunDirectory, limit: float | None) -> None:
        self._run, self._number, self._fresh, self._began = run, -1, 0, 0
        self._limit = None if limit is None else MemoryLimit("search.memory_limit", limit, self._note)
        if self._limit is not None:
            self._fresh = taken()
            self._limit.begin()

    def begin(self, number: int) -> None:
        """A trial begins."""
        if self._limit is not None:
            _mark(self._run, number).unlink(missing_ok=True)
            self._began, self._number = taken(), number

    def drop(self) -> None:
        """No trial trains."""
        self._number = -1

    def _note(self, now: int, reason: str) -> bool:
        number = self._number
        if number < 0:
            return False
        if now - self._began >= self._began - self._fresh:
            mark = _mark(self._run, number)
            mark.parent.mkdir(parents=True, exist_ok=True)
            draft = mark.with_suffix(".part")
            draft.write_text(reason, encoding="utf-8")
            draft.replace(mark)
        return True
