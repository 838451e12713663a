"""How numbers, durations and tables look in plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence


def number(value: float) -> str:
    """Four significant digits; a dash for what is not known."""
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, e.g. ``1:02:03``; a dash for what is not known."""
    if not math.isfinite(seconds):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def setting(value: object) -> str:
    """A hyperparameter's value in short."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def first_line(text: str) -> str:
    """The first line of a text that has something to say; empty where none has."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows of a table as lines, cells to the right of their columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
