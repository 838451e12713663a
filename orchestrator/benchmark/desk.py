"""A benchmark study's part of the coordinator: hands out cells and takes in their results."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from orchestrator.benchmark.durations import DurationModel
from orchestrator.benchmark.history import Failure, cells_event
from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.standings import Score
from orchestrator.run.faults import storage_failure
from orchestrator.run.journal import Event, Journal

STRIKES = 2
"""A cell during which this many processes have died is lost until the study is resumed."""
SMALLEST_SECONDS = 0.05
"""The least work in a block, in seconds: asking for a block takes some milliseconds."""
UNKNOWN_SHARE = 0.25
"""A cell of a method without results counts as this share of a block."""


@dataclass(frozen=True)
class Block:
    """Cells that one process computes, one after another.

    Args:
        versions: stored with each cell (:func:`orchestrator.run.provenance.software`).
    """

    number: int
    cells: tuple[CellKey, ...]
    versions: str = ""


@dataclass(frozen=True)
class Ended:
    """A cell that has ended and is stored.

    Args:
        key: which cell.
        seconds: how long it took, by the clock.
        failure: why it failed or was lost; empty if it finished.
        lost: whether it was lost with its machine, which is not the method's failure.
        score: what it ended with (:func:`.standings.score_of`); None: unknown, or not to be compared.
    """

    key: CellKey
    seconds: float
    failure: str = ""
    lost: bool = False
    score: float | None = None

    @classmethod
    def of(cls, key: CellKey, status: str, seconds: float, reason: str, score: float | None = None) -> Self:
        """The cell as it is stored; a finished one may have a reason why it ended early."""
        return cls(key, seconds, "" if status == "finished" else reason, status == "lost", score)


@dataclass(frozen=True)
class Progress:
    """A worker's report on its block.

    Args:
        ended: cells that have ended since its last report.
        full: why no further cell can be stored; empty if there is room.
    """

    ended: tuple[Ended, ...]
    full: str = ""


class StoredCells(Protocol):
    """The part of the store that a desk needs; workers store cells before they report them."""

    @property
    def versions(self) -> str:
        """The software that computes now."""
        ...

    def ended(self, cells: Iterable[CellKey]) -> list[Ended]:
        """The ``cells`` that are stored by now."""
        ...

    def give_up(self, key: CellKey, reason: str) -> Ended:
        """Store a cell as lost.

        Raises:
            OSError: the disk is full, or away.
        """
        ...


class CellDesk:
    """Hands out blocks of cells.

    Guided self-scheduling (Polychronopoulos and Kuck 1987): a block is what one process can compute in
    ``block_seconds``, and towards the end half of its share of what is left, so that all end together.

    Args:
        cells: the missing cells, in the order of computation.
        evaluations: of each task.
        workers: the number of cells that are computed at a time.
        block_seconds: what a block should take.
        stored: finds the cells that a dead process had stored.
        journal: where the progress is written; open.
        clock: seconds since the epoch.
    """

    remark = ""

    def __init__(
        self,
        cells: Iterable[CellKey],
        evaluations: Mapping[str, int],
        workers: int,
        block_seconds: float,
        stored: StoredCells,
        journal: Journal,
        clock: Callable[[], float],
    ) -> None:
        self._workers, self._block_seconds = workers, block_seconds
        self._stored, self._journal, self._clock = stored, journal, clock
        self._durations = DurationModel(evaluations, UNKNOWN_SHARE * block_seconds)
        self._waiting_time, self._running_time = self._durations.tally(), self._durations.tally()
        self._waiting: deque[CellKey] = deque()
        self._return(list(cells))
        # The cells of each block in order; a dictionary removes one of thousands at once.
        self._running: dict[int, dict[CellKey, None]] = {}
        self._deaths: Counter[CellKey] = Counter()
        self._blocks, self._halted, self._failure = 0, False, ""

    @property
    def over(self) -> bool:
        """Whether every cell has ended, or none will be handed out any more."""
        return self._ending or not (self._waiting or self._running)

    @property
    def failure(self) -> str:
        """Why the study cannot go on: there is no room for its results."""
        return self._failure

    async def next(self) -> Block | None:
        """The next block; None if there is none now."""
        if self._ending or not self._waiting:
            return None
        share = self._waiting_time.seconds / (2 * self._workers)
        goal = max(min(self._block_seconds, share), SMALLEST_SECONDS)
        cells: dict[CellKey, None] = {}
        seconds = 0.0
        while self._waiting and (not cells or seconds < goal):
            key = self._waiting.popleft()
            self._waiting_time.remove(key)
            self._running_time.add(key)
            cells[key] = None
            seconds += self._durations.expect(key.task, key.method)
        block = Block(self._blocks, tuple(cells), self._stored.versions)
        self._blocks += 1
        self._running[block.number] = cells
        return block

    async def commit(self) -> None:
        """Nothing has to be durable: cells that are missing from the store are handed out again."""

    def give_back(self, work: Block) -> None:
        """Take back a block that no process has begun."""
        left = list(self._running.pop(work.number))
        for key in left:
            self._running_time.remove(key)
        self._return(left)

    def report(self, work: Block, report: Progress) -> bool:
        """Take in cells that have ended; True: the worker goes on with its block."""
        self._take(work, report.ended)
        if report.full:
            self._fail(f"cells cannot be stored: {report.full}")
        return not self._ending and work.number in self._running

    def lose(self, work: Block, reason: str, process: str) -> None:
        """Note that a process died: the cells that it stored have ended, and its current one is retried."""
        del process  # Reports group lost cells by their reason.
        self._take(work, self._stored.ended(work.cells))
        # Cells are computed in the order of the block.
        left = list(self._running.pop(work.number, ()))
        for key in left:
            self._running_time.remove(key)
        if left and not self._ending:
            self._deaths[left[0]] += 1
            if self._deaths[left[0]] >= STRIKES:
                self._give_up(left.pop(0), reason)
        self._return(left)

    def halt(self) -> None:
        """Hand out no more blocks, and forget the running ones; what they store counts after a resume."""
        self._halted = True

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    @property
    def _ending(self) -> bool:
        return self._halted or bool(self._failure)

    def _fail(self, reason: str) -> None:
        if not self._ending:
            self._failure = reason

    def _return(self, cells: Sequence[CellKey]) -> None:
        """Put cells at the head of the queue."""
        self._waiting.extendleft(reversed(cells))
        for key in cells:
            self._waiting_time.add(key)

    def _take(self, work: Block, ended: Iterable[Ended]) -> None:
        """Take in cells that have ended; cells that are known to have ended are not counted again."""
        running = self._running.get(work.number, {})
        new = [one for one in ended if one.key in running]
        for one in new:
            del running[one.key]
            self._running_time.remove(one.key)
            if not one.failure:
                self._durations.learn(one.key, one.seconds)
        if not running:
            self._running.pop(work.number, None)
        self._tell(new)

    def _give_up(self, key: CellKey, reason: str) -> None:
        try:
            self._tell([self._stored.give_up(key, reason)])
        except OSError as error:
            self._fail(f"cells cannot be stored: {storage_failure(error) or error}")

    def _tell(self, ended: Sequence[Ended]) -> None:
        """Write to the journal which cells have ended."""
        if not ended or self._ending:
            return
        try:
            self._journal.append(self._progress(ended))
        except OSError as error:
            self._fail(f"the journal cannot be written: {storage_failure(error) or error}")

    def _progress(self, ended: Sequence[Ended]) -> Event:
        finished = Counter(one.key.method for one in ended if not one.failure)
        failed, lost = failures(ended)
        left = (self._waiting_time.seconds + self._running_time.seconds) / self._workers
        scores = [_journalled(one.key, one.score) for one in ended if one.score is not None]
        more = {"scores": scores} if scores else {}
        return cells_event("cells", finished, failed, lost, left=left, time=self._clock(), **more)


def _journalled(key: CellKey, score: float) -> Score:
    return key.task, key.method, key.seed, score if math.isfinite(score) else None


def failures(ended: Iterable[Ended]) -> tuple[list[Failure], list[Failure]]:
    """The cells that have failed, and those that were lost."""
    failed: list[Failure] = []
    lost: list[Failure] = []
    for one in ended:
        if one.failure:
            failure = Failure(one.key.task, one.key.method, one.key.seed, one.failure)
            (lost if one.lost else failed).append(failure)
    return failed, lost
