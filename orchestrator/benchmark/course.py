"""A benchmark study's course: which cells are computed next, and what has become of those handed out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from orchestrator.benchmark.history import Failure, cells_event
from orchestrator.benchmark.pace import Pace
from orchestrator.benchmark.records import CellKey
from orchestrator.faults import storage_failure
from orchestrator.journal import Event, Journal

INTERRUPTION = "interrupted"
STRIKES = 2
"""A cell during which so many processes have died is lost until the study is resumed."""
SMALLEST_SECONDS = 0.5
"""Cells worth less are not handed out alone: a block costs about .1 s by itself."""
UNKNOWN_SHARE = 0.25
"""A cell of a method of which nothing is known counts as this share of a block."""


@dataclass(frozen=True)
class Block:
    """Cells that one process computes, one after another."""

    number: int
    cells: tuple[CellKey, ...]


@dataclass(frozen=True)
class Ended:
    """A cell that has ended and is stored.

    Args:
        key: which.
        seconds: how long it took, by the clock.
        failure: why it failed or was lost; empty where it finished.
        lost: whether it was lost with its machine, which is not the method's failure.
    """

    key: CellKey
    seconds: float
    failure: str = ""
    lost: bool = False

    @classmethod
    def of(cls, key: CellKey, status: str, seconds: float, reason: str) -> Self:
        """The cell as it is stored; a finished one may have a reason why it ended early."""
        return cls(key, seconds, "" if status == "finished" else reason, status == "lost")


class Course:
    """Hands out blocks of cells and takes in what comes of them.

    Guided self-scheduling (Polychronopoulos and Kuck 1987): a block is what one process can compute in
    ``block_seconds``, and towards the end half of its share of what is left, so that all end together.

    Args:
        cells: those that are missing, in the order in which they are to be computed.
        evaluations: of each task.
        slots: processes that compute at the same time.
        block_seconds: what a block should take.
        journal: where the progress is written; open.
        clock: seconds since the epoch.

    Attributes:
        lost: cells that were lost, and are not tried again before the study is resumed.
        reason: why it was halted, if it was.
    """

    def __init__(
        self,
        cells: Iterable[CellKey],
        evaluations: Mapping[str, int],
        slots: int,
        block_seconds: float,
        journal: Journal,
        clock: Callable[[], float],
    ) -> None:
        self._waiting = deque(cells)
        self._counts = Counter((key.task, key.method) for key in self._waiting)
        self._pace = Pace(evaluations, UNKNOWN_SHARE * block_seconds)
        self._slots, self._block_seconds = slots, block_seconds
        self._journal, self._clock = journal, clock
        self._running: dict[int, list[CellKey]] = {}
        self._deaths: Counter[CellKey] = Counter()
        self._blocks, self._halted = 0, False
        self.reason = INTERRUPTION
        self.lost: set[CellKey] = set()

    @property
    def halted(self) -> bool:
        """Whether the study was interrupted."""
        return self._halted

    @property
    def over(self) -> bool:
        """Whether no block will be handed out any more; cells that run may still be lost, and come back."""
        return self._halted or not (self._waiting or self._running)

    @property
    def finished(self) -> bool:
        """Whether every cell has ended."""
        return not (self._waiting or self._running)

    def next(self) -> Block | None:
        """The next block; None where there is none now."""
        if self._halted or not self._waiting:
            return None
        goal = max(min(self._block_seconds, self._expected() / (2 * self._slots)), SMALLEST_SECONDS)
        cells: list[CellKey] = []
        seconds = 0.0
        while self._waiting and (not cells or seconds < goal):
            cells.append(self._take())
            seconds += self._pace.expect(cells[-1].task, cells[-1].method)
        block = Block(self._blocks, tuple(cells))
        self._blocks += 1
        self._running[block.number] = cells
        return block

    def report(self, number: int, ended: Sequence[Ended]) -> None:
        """Some of a block's cells have ended; those that are known to have are not counted again."""
        new = [one for one in ended if one.key in self._running.get(number, ())]
        for one in new:
            self._running[number].remove(one.key)
            if not one.failure:
                self._pace.learn(one.key, one.seconds)
        if not self._running.get(number, True):
            del self._running[number]
        self.lost.update(one.key for one in new if one.lost)
        if new and not self._halted:
            try:
                self._journal.append(self._progress(new))
            except OSError as error:
                self.halt(f"the journal cannot be written: {storage_failure(error) or error}")

    def lose(self, number: int, stored: Sequence[Ended]) -> CellKey | None:
        """A block's process has died.

        Args:
            stored: those of its cells that have ended.

        Returns:
            The cell that is not to be tried again: it is to be stored as lost, and then reported.
        """
        self.report(number, stored)
        left = self._running.pop(number, [])
        if not left or self._halted:
            self._waiting.extendleft(reversed(left))
            return None
        # Cells are computed in the order of the block.
        culprit = left[0]
        self._deaths[culprit] += 1
        given_up = self._deaths[culprit] >= STRIKES
        if given_up:
            self._running[number] = [culprit]
        for key in reversed(left[1:] if given_up else left):
            self._waiting.appendleft(key)
            self._counts[key.task, key.method] += 1
        return culprit if given_up else None

    def halt(self, reason: str = INTERRUPTION) -> None:
        """Hand out no more blocks, and forget about those that run; what they store counts when resumed."""
        if not self._halted:
            self._halted, self.reason = True, reason

    def _take(self) -> CellKey:
        key = self._waiting.popleft()
        self._counts[key.task, key.method] -= 1
        return key

    def _expected(self) -> float:
        """Seconds of computing that the waiting cells need."""
        return sum(count * self._pace.expect(*pairing) for pairing, count in self._counts.items() if count)

    def _progress(self, ended: Sequence[Ended]) -> Event:
        running = sum(
            self._pace.expect(key.task, key.method) for block in self._running.values() for key in block
        )
        finished = Counter(one.key.method for one in ended if not one.failure)
        left = (self._expected() + running) / self._slots
        failed, lost = failures(ended)
        return cells_event("cells", finished, failed, lost, left=left, time=self._clock())


def failures(ended: Iterable[Ended]) -> tuple[list[Failure], list[Failure]]:
    """The cells that have failed, and those that were lost."""
    failed: list[Failure] = []
    lost: list[Failure] = []
    for one in ended:
        if one.failure:
            failure = Failure(one.key.task, one.key.method, one.key.seed, one.failure)
            (lost if one.lost else failed).append(failure)
    return failed, lost
