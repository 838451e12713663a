"""Records what a journal holds while the study runs, off the training path."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PERIOD, LONGEST_PERIOD = 2.0, 60.0
"""Seconds between two looks at the journal, and at most, while nothing can be recorded."""
SHARE = 0.1
"""Recording takes at most this share of the time, so that training keeps the processor."""


class Following:
    """Calls a recorder again and again, in a thread of its own; less often while it fails.

    Args:
        record: records what is new; returns whether it could.
        name: the thread's.
    """

    def __init__(self, record: Callable[[], bool], name: str) -> None:
        self._record, self._name = record, name
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Follow the journal from now on."""
        self._thread = threading.Thread(target=self._follow, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """Stop for good; returns whether there was anything to stop."""
        self._stop.set()
        if self._thread is None:
            return False
        self._thread.join()
        self._thread = None
        return True

    def _follow(self) -> None:
        wait = PERIOD
        while not self._stop.wait(wait):
            began = time.monotonic()
            if self._record():
                wait = max(PERIOD, (time.monotonic() - began) / SHARE)
            else:
                wait = min(2 * wait, LONGEST_PERIOD)
