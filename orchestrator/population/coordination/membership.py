"""Which islands take part in a study, and how they wait for one another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.run.faults import storage_failure


class Membership:
    """The islands that take part, and every wait of theirs.

    A wait ends in one of two ways: what was waited for has come, or the study has failed or gone back to a
    snapshot meanwhile (a new epoch). So nobody waits for ever for an island that died.

    Args:
        islands: those that are expected at first.

    Attributes:
        expected: the islands that host members; training begins when all of them have joined.
        present: the islands that have joined in this epoch, whether or not they are expected.
        epoch: how often the population went back.
        failure: why the study has failed; None while it has not.
    """

    def __init__(self, islands: Iterable[int]) -> None:
        self.expected: frozenset[int] = frozenset(islands)
        self.present: set[int] = set()
        self._changed = asyncio.Event()
        self.epoch = 0
        self.failure: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all islands that are expected have joined in this epoch."""
        return self.expected <= self.present

    def has(self, island: int, epoch: int | None = None) -> bool:
        """Whether an island has joined in the present epoch, and ``epoch``, if given, is that one."""
        return island in self.present and epoch in (None, self.epoch)

    def join(self, island: int) -> int:
        """An island takes part; returns the epoch."""
        self.present.add(island)
        self.wake()
        return self.epoch

    def expect(self, islands: Iterable[int]) -> None:
        """From now on these islands host members."""
        self.expected = frozenset(islands)
        self.wake()

    def start_over(self) -> None:
        """Everybody has to join again."""
        self.epoch += 1
        self.present.clear()
        self.wake()

    @contextmanager
    def while_there_is_room(self, folder: Path | None = None) -> Iterator[None]:
        """End the study where the disk takes nothing more: what is committed stays, and a resume goes on.

        Args:
            folder: what is written to, where an error does not say.
        """
        try:
            yield
        except OSError as error:
            error.filename = error.filename or (folder and str(folder))
            if not (full := storage_failure(error)):
                raise
            self.fail(f"nothing more can be written: {full}")

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
