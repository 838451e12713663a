"""Asks a person on the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterator
from typing import TextIO

from orchestrator.preference.questions import Answer, Question, Shown, UnansweredError, facts, harmless

_KEYS: dict[str, Answer] = {"1": "first", "2": "second", "0": "equal"}
_PROMPT = "which is better? 1, 2, or 0 for no difference: "
_CLOSED = (
    "nobody can answer, since standard input is closed: go on with it on a terminal, or with "
    "preference.ask=page in a browser"
)


class TerminalAsker:
    """See :class:`orchestrator.preference.questions.Asker`.

    Args:
        lines: what is typed; None: it is closed.
        write: shows text without ending the line.
        width: of the terminal; None: asked for at every question.
    """

    name = "terminal"

    def __init__(self, lines: TextIO | None, write: Callable[[str], None], width: int | None = None) -> None:
        self._lines, self._write, self._width = lines, write, width

    def ask(self, question: Question) -> Answer:
        self._write("\n".join(["", *self._shown(question), ""]))
        while True:
            self._write(_PROMPT)
            typed = self._typed()
            if (answer := _KEYS.get(typed.strip())) is not None:
                return answer
            self._write(f"expected 1, 2 or 0, got {harmless(typed.strip())[:40]!r}\n")

    def wait(self, what: str) -> None:
        """What takes a moment is not worth a line."""

    def close(self) -> None:
        """Nothing is open."""

    def _typed(self) -> str:
        try:
            line = self._lines.readline() if self._lines is not None and not self._lines.closed else ""
        except OSError:  # the terminal is gone
            line = ""
        if not line:
            self._write("\n")
            raise UnansweredError(_CLOSED)
        return line

    def _shown(self, question: Question) -> Iterator[str]:
        width = self._width or min(shutil.get_terminal_size().columns, 110)
        yield f"question {question.number + 1} of {question.total}"
        for key, shown in (("1", question.first), ("2", question.second)):
            yield ""
            yield f"[{key}] {'-' * (width - 4)}"
            yield from _lines(shown, width)
        yield ""


def _lines(shown: Shown, width: int) -> Iterator[str]:
    if shown.text:
        for line in harmless(shown.text).splitlines():
            yield from textwrap.wrap(line, width) or [""]
    for name, value in facts(shown).items():
        yield f"  {harmless(name)}: {harmless(value)}"
