"""The end of a process that takes more memory than it may, before the whole machine runs out of it.

The machine's own end of it (Linux's, or Ray's monitor) hits whatever process is largest then, and says of
nobody that it was to blame. Linux alone tells how much memory a process holds; elsewhere there is no limit.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from search_spaces.errors import ConfigurationError
from workloads.command.supervisor import descendants, held

LOOK_SECONDS = 0.25
"""Between two looks; a process that takes memory faster than this is Linux's to end."""

MIB = 2**20


def taken() -> int:
    """Bytes that this process and all that it has started hold; what is shared with others counts in part."""
    return sum(map(held, (os.getpid(), *descendants())))


class MemoryLimit:
    """Looks now and then, in a thread of its own, whether this process takes more than it may.

    Args:
        key: of the configuration, for people.
        mib: how much it may take, in MiB.
        note: told how much it takes, in one line, just before it ends with all that it has started; False: it
            may go on.
    """

    def __init__(self, key: str, mib: float, note: Callable[[int, str], bool]) -> None:
        self._key, self._mib, self._note = key, mib, note
        self._over = threading.Event()

    def begin(self) -> None:
        """Begin to look.

        Raises:
            ConfigurationError: it takes more already, though it has trained nothing.
        """
        if (now := taken()) > self._mib * MIB:
            expected = f"more than the {now / MIB:.0f} MiB that a process takes before it trains"
            raise ConfigurationError(self._key, expected, self._mib)
        threading.Thread(target=self._watch, name="memory", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            now = taken()
            if now <= self._mib * MIB:
                continue
            reason = f"its process took {now / MIB:.0f} MiB, more than {self._key} ({self._mib:g} MiB)"
            if self._note(now, reason):
                for pid in descendants():
                    with suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                os._exit(1)
