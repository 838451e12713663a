"""How fast the trials of a search end."""

from __future__ import annotations

import math
from collections import deque

from orchestrator.run.journal import Event

RATE_TRIALS = 20
"""Throughput is an average over this many of the last trials."""


class Throughput:
    """Ended trials per second, folded from a journal's events.

    Counts from when the first trial began to train, since starting up is no training; the first trials that
    run together count as a whole wave, although they end one after the other.

    Args:
        concurrency: how many trials run at a time.
    """

    def __init__(self, concurrency: int) -> None:
        self._together = concurrency
        self._ends: deque[float] = deque(maxlen=max(RATE_TRIALS, 2 * concurrency) + 1)
        self._began, self._paused_until = math.nan, -math.inf

    @property
    def rate(self) -> float:
        """Trials per second over the last ones; NaN until it is known."""
        ends = self._ends
        if not ends:
            return math.nan
        if len(ends) == ends.maxlen:
            done, elapsed = len(ends) - 1.0, ends[-1] - ends[0]
        elif len(ends) < self._together:
            done, elapsed = float(self._together), sum(ends) / len(ends) - self._began
        else:
            done, elapsed = float(len(ends)), ends[-1] - self._began
        return done / elapsed if elapsed > 0 else math.nan

    def training(self, event: Event) -> None:
        """Take in a report or an end; the first since a start or resume tells when training began."""
        if math.isnan(self._began):
            # A trial that went on from a checkpoint had been trained before the pause.
            self._began = max(event["time"] - event["seconds"], self._paused_until)

    def ended(self, event: Event) -> None:
        """Take in the end of a trial."""
        self.training(event)
        self._ends.append(event["time"])

    def pause(self, until: float) -> None:
        """The study goes on after a pause: what was before says nothing about the rate."""
        self._ends.clear()
        self._began, self._paused_until = math.nan, until
