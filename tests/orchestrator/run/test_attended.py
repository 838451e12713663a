"""A program whose child is ended by a library begins again; all other endings are the child's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.run.attended import LOST

PROGRAM = """
import os, signal, sys, time
from orchestrator.run.attended import attended

def lost(reason):
    print("lost:", reason, flush=True)
    os._exit(7)

with attended(lost) as give_up:
    print("child", flush=True)
    {does}
{then}
"""


def started(does: str, then: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    program = [sys.executable, "-c", PROGRAM.format(does=does, then=then)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize(
    "does, then, status, said",
    [
        ("os._exit(1)", "", 7, f"lost: {LOST}\n"),
        ("os.abort()", "", 7, f"lost: {LOST}\n"),
        ("give_up('the head is gone')", "", 7, "lost: the head is gone\n"),
        ("pass", "sys.exit(130)", 130, ""),
        ("pass", "os.kill(os.getpid(), signal.SIGKILL)", 128 + 9, ""),
        ("sys.exit(2)", "", 2, ""),
        ("pass", "", 0, ""),
    ],
)
def test_only_a_child_that_has_not_come_to_its_end_is_lost(
    does: str, then: str, status: int, said: str
) -> None:
    process = started(does, then)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (status, f"child\n{said}")


def test_a_signal_reaches_the_child_and_what_it_ends_does_not_begin_again() -> None:
    process = started("time.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == "child\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")


def test_a_signal_that_was_ignored_at_the_start_reaches_a_child_that_listens() -> None:
    """As in a script's background, where Ctrl-C is ignored until a program asks for it."""
    listens = (
        "signal.signal(signal.SIGINT, lambda *_: os._exit(3)); print('listens', flush=True); time.sleep(60)"
    )
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = started(listens)
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["child\n", "listens\n"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
