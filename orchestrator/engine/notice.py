"""What a worker's process does where its machine is about to be taken away: SIGTERM, as spot nodes get it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

LEFT = 1
"""Exit status of a process that was told to end: it counts as one that died, and its work is not to blame."""


class Notice:
    """Takes SIGTERM for this process, which may go on for some seconds to save what it does.

    Ray's own handler raises ``SystemExit`` in the middle of training, which would count as the failure of
    what is trained.

    Args:
        seconds: how long the process has from then on.
        end: ends the process at once, with an exit status.
    """

    def __init__(self, seconds: float, end: Callable[[int], object] = os._exit) -> None:
        self._seconds, self._end = seconds, end
        self._given = threading.Event()

    @property
    def given(self) -> bool:
        """Whether the process is to end."""
        return self._given.is_set()

    def listen(self) -> None:
        """Take the signal from now on; a thread that is not the main one cannot, and changes nothing."""
        if threading.current_thread() is not threading.main_thread():
            return
        # Here, since a handler had better not start one.
        threading.Thread(target=self._wait, name="notice", daemon=True).start()
        signal.signal(signal.SIGTERM, self._take)

    def leave(self) -> None:
        """End the process: all that could be saved is."""
        self._end(LEFT)

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal calls it
        self._given.set()

    def _wait(self) -> None:
        self._given.wait()
        time.sleep(self._seconds)
        self.leave()
