"""The parts that the live displays of all kinds of study share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.text import duration

BAR_WIDTH = 30
LINES = 200
"""Where there is no terminal, a study prints at most about this many lines."""
LONGEST_REASON = 40
"""Characters of a failure's reason in a line; the table has all."""


@dataclass(frozen=True)
class Times:
    """How long a study has been running, and how long it will yet.

    Args:
        elapsed: seconds, pauses before a resume left out.
        left: seconds; NaN while unknown.
    """

    elapsed: float
    left: float

    def after(self, seconds: float) -> Self:
        """The times when there has been no news for so long; what takes longer than expected is unknown."""
        left = self.left - seconds if self.left > 0 else self.left
        return type(self)(self.elapsed + seconds, left if left >= 0 else math.nan)

    def __str__(self) -> str:
        return f"{duration(self.elapsed)} elapsed, {duration(self.left)} left"


def portions(done: int, total: int) -> int:
    """How many lines are due when ``done`` of ``total`` things are: one each, or for a portion of many."""
    return done * LINES // max(total, LINES)


def head(study: str, progress: str, done: float, times: Times) -> RenderableType:
    """The study's name and how far it is, in two lines.

    Args:
        done: the share of its work, 0 to 1.
    """
    name = Text.assemble((study, "bold"), "  ", progress, overflow="ellipsis", no_wrap=True)
    bar = Table.grid(padding=(0, 2))
    bar.add_row(ProgressBar(total=1.0, completed=done, width=BAR_WIDTH), str(times))
    return Group(name, bar)


def columns(headings: Sequence[str]) -> Table:
    """A table with a heading: names to the left, numbers to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", style="" if place else "dim")
    return table


def note(text: str, style: str = "") -> RenderableType:
    """A line of text, broken where it is too long, also on a console that breaks no lines."""
    return Text(text, style=style, no_wrap=False, overflow="fold")


def shortened(reason: str) -> str:
    """A failure's reason as a line has it."""
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1].rstrip()}…"
