"""Whether a journal's events can follow one another: lines of earlier versions have no checksums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.run.journal import Event
from orchestrator.run.journal_lines import JournalError

Judge = Callable[[Event], str]
"""Told of a study's events in their order: why one cannot come after those before it; empty where it can."""


def first_problem(events: Sequence[Event], judge: Judge) -> tuple[int, str] | None:
    """The first event that cannot stand where it does, by its index from 0, and why; None: all can."""
    for index, event in enumerate(events):
        try:
            problem = judge(event)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            problem = f"an event that is damaged ({type(error).__name__}: {error})"
        if problem:
            return index, problem
    return None


def require_sound(path: Path, events: Sequence[Event], judge: Judge) -> None:
    """Refuse a journal whose events cannot follow one another.

    Raises:
        JournalError: they cannot; it names the line.
    """
    found = first_problem(events, judge)
    if found is not None:
        index, problem = found
        raise JournalError.at(path, index + 1, "an event that can come after those before it", problem)
