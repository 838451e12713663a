"""What a study does while nothing else is shown has a name."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from orchestrator.tracking import phases
from orchestrator.tracking.phases import Phases


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=terminal)


def text(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_a_terminal_names_the_phase_at_once_and_keeps_what_is_printed_meanwhile() -> None:
    shown = console(terminal=True)
    with Phases(shown, True)("starting Ray"):
        shown.print("a line")
    assert "starting Ray …" in text(shown) and "a line" in text(shown)
    assert text(shown).endswith("\x1b[2K"), "the phase is wiped off in the end"


def test_elsewhere_only_a_long_phase_is_named_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = console(terminal=False)
    with Phases(shown, True)("starting Ray"):
        pass
    assert text(shown) == ""
    monkeypatch.setattr(phases, "SILENCE", 0.0)
    with Phases(shown, True)("starting Ray"):
        until = time.monotonic() + 5
        while not text(shown) and time.monotonic() < until:
            time.sleep(0.001)
    assert text(shown) == "starting Ray …\n"


def test_nothing_is_said_where_nothing_is_to_be_shown() -> None:
    shown = console(terminal=True)
    with Phases(shown, False)("starting Ray"):
        pass
    assert text(shown) == ""


def test_a_phase_ends_with_what_is_raised_in_it() -> None:
    shown = console(terminal=False)
    with pytest.raises(ValueError, match="x"), Phases(shown, True)("starting Ray"):
        raise ValueError("x")
    assert text(shown) == ""
