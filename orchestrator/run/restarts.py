"""How often a study that was lost with its coordinator or its Ray begins again by itself."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from search_spaces.errors import ConfigurationError

WINDOW_SECONDS = 3600.0
"""Restarts count for an hour: a study of days may lose a machine every now and then."""

LONGEST_PAUSE = 60.0
"""Seconds between a loss and the restart at most."""


@dataclass(frozen=True)
class Restart:
    """Leave to begin again.

    Args:
        pause: seconds to wait before.
        left: how many more there are within the hour.
    """

    pause: float
    left: int


class Restarts:
    """Counts restarts within the last hour.

    Args:
        most: how many there may be.
        clock: seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        self._begun: deque[float] = deque()

    def next(self) -> Restart | None:
        """Leave for another restart; each within the hour waits twice as long. None: there were too many."""
        now = self._clock()
        while self._begun and now - self._begun[0] >= WINDOW_SECONDS:
            self._begun.popleft()
        if len(self._begun) >= self._most:
            return None
        pause = min(2.0 ** len(self._begun), LONGEST_PAUSE)
        self._begun.append(now)
        return Restart(pause, self._most - len(self._begun))


def patiently(attempt: Callable[[], None], seconds: float, pause: float = 0.5) -> None:
    """Try until it is not refused, waiting ever longer in between.

    Args:
        attempt: may raise ``ConfigurationError``.
        seconds: how long to try.
        pause: seconds before the second attempt.

    Raises:
        ConfigurationError: it is still refused after that time.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except ConfigurationError:
            if time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE / 4)
