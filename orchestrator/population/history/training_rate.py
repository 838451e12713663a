"""How fast the members of a population train."""

from __future__ import annotations

from collections import deque

from orchestrator.population.records import MemberInterval

GENERATIONS = 4
"""Throughput is an average over this many of the last generations."""


class TrainingRate:
    """How fast members train since a start or a resume.

    Of the first generation it counts how long members trained: the clock would count starting up, too.

    Args:
        size: members in the population.
        islands: processes that train them.
    """

    def __init__(self, size: int, islands: int) -> None:
        self._size, self._islands = size, islands
        self._trained, self._seconds = 0, 0.0
        self._times: deque[float] = deque(maxlen=GENERATIONS * size + 1)

    def add(self, record: MemberInterval) -> None:
        """An interval has ended."""
        self._trained += 1
        self._seconds += record.seconds
        if self._trained >= self._size:
            self._times.append(record.time)

    @property
    def intervals_per_second(self) -> float:
        """Of all members together; NaN until it is known."""
        if len(self._times) > self._size:
            elapsed = self._times[-1] - self._times[0]
            return (len(self._times) - 1) / elapsed if elapsed > 0 else float("nan")
        # An interval's seconds are its island's time, shared among the members that trained together.
        return self._islands * self._trained / self._seconds if self._seconds > 0 else float("nan")
