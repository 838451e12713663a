"""What a study says on the terminal while it runs."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from orchestrator.text import folded


def plain_console() -> Console:
    """The terminal, or whatever takes its place, without markup."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(console: Console, lines: Iterable[str]) -> None:
    """Print lines, folded to the width of a terminal."""
    width = console.width if console.is_terminal else None
    for line in lines:
        console.print(folded(line, width))
