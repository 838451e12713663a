"""Shows a study on the terminal while it runs, by following its journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.population.history.history import PopulationHistory
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, JournalReader
from orchestrator.search.history.history import SearchHistory
from orchestrator.text import duration, folded
from orchestrator.tracking.benchmark_view import BenchmarkView
from orchestrator.tracking.population_view import PopulationView
from orchestrator.tracking.search_view import SearchView

History = PopulationHistory | SearchHistory | BenchmarkHistory

LIVE_PERIOD, LINE_PERIOD = 0.25, 1.0
"""Seconds between two looks at the journal on a terminal, and elsewhere."""

OPENING = "starting the coordinator and its workers"
"""What a study does before its journal says anything."""


class View(Protocol):
    """How a study that is under way looks to people."""

    @property
    def steps(self) -> int:
        """Grows whenever there is news that is worth a line."""

    def line(self) -> str:
        """What matters most in one line of plain text."""

    def table(self, waited: float = 0.0) -> RenderableType:
        """The live display, when there has been no news for ``waited`` seconds."""


class Follower:
    """What a journal says so far.

    Args:
        journal: the journal's file; it need not exist yet.

    Attributes:
        notes: lines that are to be shown once; whoever shows them empties the list.
    """

    def __init__(self, journal: Path) -> None:
        self._reader = JournalReader(journal)
        self._history: History | None = None
        self.notes: list[str] = []

    def poll(self) -> View | None:
        """The present view, if anything has been written since the last call."""
        events = self._reader.poll()
        if not events:
            return None
        self.notes += [note for event in events if (note := _note(event))]
        if self._history is None:
            self._history = _history_of(events[0])
            events = events[1:]
        self._history.extend(events)
        return _view_of(self._history)


class TerminalFollower:
    """Shows the study in a thread: a live table on a terminal, else plain lines, at most one a second.

    Args:
        run_dir: the run directory.
        console: where to; lines that others print through it, or to stdout, appear above the table.
    """

    def __init__(self, run_dir: Path, console: Console) -> None:
        self._follower = Follower(RunDirectory(run_dir).journal)
        self._console = console
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to show."""
        show = self._live if self._console.is_terminal else self._lines
        self._thread = threading.Thread(target=show, name="terminal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show the last state and end; may be called again."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _live(self) -> None:
        view, since = self._next(), time.monotonic()
        with Live(console=self._console, auto_refresh=False) as live:
            ending = False
            while not ending:
                ending = self._stop.wait(LIVE_PERIOD)
                if (news := self._next()) is not None:
                    view, since = news, time.monotonic()
                live.update(self._drawn(view, time.monotonic() - since), refresh=True)

    def _drawn(self, view: View | None, waited: float) -> RenderableType:
        """The view, its times as they are now; what the study does while there is none."""
        if view is None:
            return Text(f"{OPENING} … {duration(waited)}", style="dim")
        return view.table(waited)

    def _lines(self) -> None:
        lines = ProgressLines(self._print)
        ending = False
        while not ending:
            ending = self._stop.wait(LINE_PERIOD)
            if (view := self._next()) is not None:
                lines.show(view)

    def _next(self) -> View | None:
        """The present view if there is news; what is to be said once has been printed."""
        view = self._follower.poll()
        while self._follower.notes:
            self._print(self._follower.notes.pop(0))
        return view

    def _print(self, line: str) -> None:
        width = self._console.width if self._console.is_terminal else None
        self._console.print(folded(line, width), markup=False, highlight=False, soft_wrap=True)


class ProgressLines:
    """Writes a line whenever a view has made one or more further steps."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._shown = 0

    def show(self, view: View) -> None:
        if view.steps > self._shown:
            self._write(view.line())
        self._shown = view.steps


def _note(event: Event) -> str:
    """What people should read of an event on its own; empty for most."""
    note = ""
    match event["event"]:
        case "engine":
            note = f"engine: {event['engine']} ({event['reason']})"
        case "remark":
            note = f"island {event['island']}: {event['text']}"
        case "lost":
            where = f" with {event['process']}" if event.get("process") else ""
            note = f"trial {event['trial']} was lost{where} (attempt {event['attempt']}): {event['reason']}"
        case "anew":
            reason = event["reason"]
            note = f"trial {event['trial']} begins anew, since its checkpoint cannot be used: {reason}"
        case "unsaved" if event.get("again"):
            note = f"a checkpoint could not be written, which is tried again: {event['reason']}"
        case "unsaved":
            note = f"trials leave no checkpoints, so that one that goes on begins anew: {event['reason']}"
        case "ended" if event["status"] == "lost":
            note = (
                f"trial {event['trial']} stays lost; the study goes on without it, and resume= tries it again"
            )
    return note


def _history_of(start: Event) -> History:
    """The history that a journal's first event begins."""
    kinds: dict[str, type[History]] = {"search": SearchHistory, "benchmark": BenchmarkHistory}
    return kinds.get(start["kind"], PopulationHistory).from_events([start])


def _view_of(history: History) -> View:
    match history:
        case SearchHistory():
            return SearchView.of(history)
        case BenchmarkHistory():
            return BenchmarkView.of(history)
        case PopulationHistory():
            return PopulationView.of(history)
