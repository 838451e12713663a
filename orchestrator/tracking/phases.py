"""Names what a study does before and after it is shown: connecting, checking and writing take seconds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

SILENCE = 3.0
"""Seconds after which a phase is named where there is no terminal; most are over by then."""


class Phases:
    """What a study does at the moment, for people who wait.

    Args:
        console: where to; lines that others print through it appear above the phase.
        shown: whether anything is.
    """

    def __init__(self, console: Console, shown: bool) -> None:
        self._console, self._shown = console, shown

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Show the phase while the block runs: on a terminal with a clock, which vanishes with it."""
        if not self._shown:
            yield
        elif self._console.is_terminal:
            looks = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
            with Progress(*looks, console=self._console, transient=True) as progress:
                progress.add_task(f"{name} …", total=None)
                yield
        else:
            late = threading.Timer(SILENCE, self._console.print, (f"{name} …",))
            late.daemon = True
            late.start()
            try:
                yield
            finally:
                late.cancel()
