"""How often a study that was lost with its coordinator or its Ray begins again by itself."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Self

from search_spaces.errors import ConfigurationError

WINDOW_SECONDS = 3600.0
"""Restarts count for an hour: a study of days may lose a machine every now and then."""

LONGEST_PAUSE = 60.0
"""Seconds between a loss and the restart at most."""

VARIABLE = "ORCHESTRATOR_RESTARTS"
"""The environment variable that tells a program which begins a study again of the restarts before."""


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
        self._row, self._results = 0, -1

    @classmethod
    def taken_over(
        cls, most: int, clock: Callable[[], float], environment: MutableMapping[str, str]
    ) -> tuple[Self, bool]:
        """Go on counting where :meth:`hand_over` stopped; returns also whether there was anything to take."""
        made, handed = cls(most, clock), environment.pop(VARIABLE, None)
        if handed is not None:
            begun, made._row, made._results = json.loads(handed)
            made._begun.extend(begun)
        return made, handed is not None

    def hand_over(self, environment: MutableMapping[str, str]) -> None:
        """Let the program that takes this one's place go on counting."""
        environment[VARIABLE] = json.dumps([list(self._begun), self._row, self._results])

    def next(self, results: int) -> Restart | None:
        """Leave for another restart, after a pause; None: there were too many.

        Args:
            results: how many the study has. Each restart that brought none makes the next pause twice as
                long.
        """
        now = self._clock()
        while self._begun and now - self._begun[0] >= WINDOW_SECONDS:
            self._begun.popleft()
        if len(self._begun) >= self._most:
            return None
        self._row = self._row + 1 if self._begun and results <= self._results else 0
        self._results = results
        self._begun.append(now)
        return Restart(min(2.0**self._row, LONGEST_PAUSE), self._most - len(self._begun))


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
