"""Lets a user's code run in this process for a while, and leaves the process as it was."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np


class OutOfTimeError(BaseException):
    """The time is over. Not an ``Exception``, which a user's training might catch."""


@contextmanager
def untouched() -> Iterator[None]:
    """Take the global random states, torch's threads and the working directory back in the end."""
    torch = sys.modules.get("torch")
    drawn, numbers, folder = random.getstate(), np.random.get_state(), Path.cwd()  # noqa: NPY002 (restored)
    before = None if torch is None else (torch.get_rng_state(), torch.get_num_threads())
    try:
        yield
    finally:
        random.setstate(drawn)
        np.random.set_state(numbers)  # noqa: NPY002
        if torch is not None and before is not None:
            torch.set_rng_state(before[0])
            if torch.get_num_threads() != before[1]:
                torch.set_num_threads(before[1])
        os.chdir(folder)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise :class:`OutOfTimeError` in the block once the time is over.

    Python lets only the main thread be interrupted; elsewhere the block takes as long as it takes. A long
    call of native code is interrupted when it returns.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def available_memory() -> float:
    """Bytes of this machine's memory that programs can still have; infinite where that cannot be known."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = dict(line.split(":", 1) for line in lines)
        return 1024.0 * int(sizes["MemAvailable"].split()[0])
    except (KeyError, OSError, ValueError):
        return float("inf")
