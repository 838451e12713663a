"""Which islands take part in a study, and how they wait for one another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Membership:
    """The islands that take part, and every wait of theirs.

    A wait ends in one of two ways: what was waited for has come, or the study has failed or gone back to a
    snapshot meanwhile (a new epoch). So nobody waits for ever for an island that died.

    Args:
        islands: how many take part.

    Attributes:
        epoch: how often the population went back.
        failure: why the study has failed; None while it has not.
    """

    def __init__(self, islands: int) -> None:
        self._islands = islands
        self._present: set[int] = set()
        self._changed = asyncio.Event()
        self.epoch = 0
        self.failure: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all islands have joined in this epoch."""
        return len(self._present) == self._islands

    def has(self, island: int, epoch: int | None = None) -> bool:
        """Whether an island has joined in the present epoch, and ``epoch``, if given, is that one."""
        return island in self._present and epoch in (None, self.epoch)

    def join(self, island: int) -> int:
        """An island takes part; returns the epoch."""
        self._present.add(island)
        self.wake()
        return self.epoch

    def start_over(self) -> None:
        """Everybody has to join again."""
        self.epoch += 1
        self._present.clear()
        self.wake()

    def fail(self, reason: str) -> None:
        """The study has failed; the first reason counts."""
        self.failure = self.failure or reason
        self.wake()

    def wake(self) -> None:
        """Something has changed: everybody who waits looks again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, epoch: int, ready: Callable[[], bool]) -> bool:
        """Wait for ``ready``; False where the study failed or ``epoch`` went by."""
        while self.failure is None and epoch == self.epoch:
            if ready():
                return True
            await self._changed.wait()
        return False
