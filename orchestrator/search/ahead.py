"""How many suggestions should lie ready, so that no worker waits while an optimizer thinks."""

from __future__ import annotations

import math

MOST = 6
"""Suggestions of one thought, and those that lie ready: they know nothing of what ends meanwhile."""
UNNOTICED = 0.02
"""The share of a trial's time that thinking may take before anything is asked for ahead of time."""


class AskAhead:
    """Measures how long an optimizer thinks, and how long trials train.

    A suggestion that is made ahead of time does not know the results that come in before its trial begins.
    So none is, unless workers would have to wait noticeably; and with one worker none ever is, since it
    would miss the result of the trial before it.

    Args:
        workers: how many trials run at a time.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._thinking = self._training = 0.0

    def thought(self, seconds: float) -> None:
        """The optimizer has thought."""
        self._thinking = _recent(self._thinking, seconds, weight=0.5)

    def trained(self, seconds: float) -> None:
        """A trial has ended."""
        self._training = _recent(self._training, seconds, weight=0.1)

    @property
    def ready(self) -> int:
        """How many suggestions should lie ready: as many as are wanted while it thinks, with a margin.

        How many trials end meanwhile varies by about the root of their mean number.
        """
        if self._quick or not self._training:
            return 0
        wanted = self._workers * self._thinking / self._training
        return min(math.ceil(wanted + math.sqrt(wanted)), MOST)

    def count(self, running: int, ready: int) -> int:
        """How many suggestions to ask for now, for workers that are idle and for those to come; may be 0.

        Args:
            running: trials that run.
            ready: suggestions that lie ready.
        """
        if self._quick:
            return 0
        idle = self._workers - running
        return max(0, min(self.ready + idle - ready, MOST))

    @property
    def _quick(self) -> bool:
        """Whether nobody notices that it thinks."""
        known = self._training > 0
        return self._workers == 1 or (known and self._thinking <= UNNOTICED * self._training)


def _recent(mean: float, value: float, *, weight: float) -> float:
    return value if not mean else (1 - weight) * mean + weight * value
