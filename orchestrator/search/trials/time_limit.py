"""The end of a trial that takes longer than ``search.time_limit``."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.run.directory import RunDirectory


def overdue_mark(run: RunDirectory, number: int) -> Path:
    """The file that a trial leaves when its time is over: where in the program each of its threads was."""
    return run.tune / "overdue" / f"trial-{number}.txt"


def overdue(run: RunDirectory, number: int, limit: float | None) -> str | None:
    """Why a trial was ended, if it was because its time was over."""
    mark = overdue_mark(run, number)
    if limit is None or not mark.exists() or not mark.stat().st_size:
        return None
    return f"longer than search.time_limit ({limit:g} s); where it was: {mark}"


@contextmanager
def within(limit: float | None, spent: float, mark: Path) -> Iterator[None]:
    """End this process where the block takes longer than is left of ``limit`` seconds, and leave ``mark``.

    A timer of the interpreter does it, which runs also where the block keeps the interpreter to itself.
    """
    if limit is None:
        yield
        return
    mark.parent.mkdir(parents=True, exist_ok=True)
    with mark.open("w", encoding="utf-8") as file:
        faulthandler.dump_traceback_later(max(limit - spent, 1e-3), exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    mark.unlink(missing_ok=True)
