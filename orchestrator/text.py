"""How numbers, durations and tables look in plain text."""

from __future__ import annotations

import math
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

_COMMAND = re.compile(r": (?=python -m |optuna-dashboard |\S*mlflow )")
"""What stands before a command in a line of ours."""
_INDENT = "  "


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


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def folded(text: str, width: int | None) -> str:
    """Text whose lines fit ``width`` columns, where they can; None: as it is.

    Lines are broken at spaces. The rows of tables, which are indented, stay as they are, and so do commands,
    which people copy.
    """
    if width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _folded(line, width))


def _folded(line: str, width: int) -> Iterator[str]:
    if len(line) <= width or line.startswith(_INDENT):
        yield line
        return
    command = _COMMAND.search(line)
    said = line[: command.start() + 1] if command else line
    yield from textwrap.wrap(
        said, width, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False
    )
    if command:
        yield line[command.end() :]


def aligned(rows: Sequence[Sequence[str]], keys: int = 1, width: int | None = None) -> Iterator[str]:
    """The rows of a table as lines, cells to the right of their columns.

    Where a row is wider than the terminal, the columns follow in several tables.

    Args:
        keys: columns at the left that each of the tables has.
        width: of the terminal; None: of the one that stdout is.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = width or terminal_width()
    for number_of_table, columns in enumerate(_tables(widths, keys, room)):
        if number_of_table:
            yield ""
        for row in rows:
            yield _INDENT + _INDENT.join(row[column].rjust(widths[column]) for column in columns)


def _tables(widths: Sequence[int], keys: int, room: int | None) -> Iterator[list[int]]:
    """The columns of each table; each has at least one besides its keys."""
    first = list(range(keys))
    table, used = first[:], sum(widths[:keys]) + len(_INDENT) * keys
    start = used
    for column in range(keys, len(widths)):
        wide = widths[column] + len(_INDENT)
        if room is not None and used + wide > room and len(table) > keys:
            yield table
            table, used = first[:], start
        table.append(column)
        used += wide
    yield table
