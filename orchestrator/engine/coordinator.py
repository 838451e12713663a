"""The coordinator of a study whose pieces of work are independent of one another: trials and cells.

Workers pull. Each calls :meth:`Coordinator.exchange` again and again: it says what it has to report, and is
told to go on, to rest, to begin another piece of work, or to leave. A plain asyncio object: on a cluster it
runs as one Ray actor, in tests inside an event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from orchestrator.run.faults import storage_failure


class Desk(Protocol):
    """What one kind of study decides. Called by the coordinator alone, inside its event loop."""

    @property
    def over(self) -> bool:
        """Whether there is no work left, and none can come back from a worker that is lost."""
        ...

    @property
    def failure(self) -> str:
        """Why the study should end; empty while it goes on."""
        ...

    @property
    def remark(self) -> str:
        """One line that people should read before work begins; mostly empty."""
        ...

    async def next(self) -> Any | None:
        """The next piece of work; None: none now. Not called again before it has returned.

        Slow thinking belongs in a thread: reports of other workers are taken in meanwhile.
        """
        ...

    async def commit(self) -> None:
        """Return once everything that :meth:`next` has decided so far is durable; only then does work begin.

        Runs beside :meth:`next`, so that one worker's wait for the disk holds up no other.
        """
        ...

    def give_back(self, work: Any) -> None:
        """Take back work that no process has begun; it goes to another one as if nothing had happened."""
        ...

    def report(self, work: Any, report: Any) -> bool:
        """Take in what a worker reports of its work; True: it goes on with it, False: the work is done."""
        ...

    def lose(self, work: Any, reason: str, process: str) -> None:
        """A worker is gone, and its work with it; ``process`` says which worker, in words."""
        ...

    def halt(self) -> None:
        """Hand out nothing more; what runs now is forgotten."""
        ...

    def close(self) -> None:
        """Let another process take over the run directory."""
        ...


@dataclass(frozen=True)
class Order:
    """What a worker does next.

    Args:
        verb: ``go_on`` with the present work; ``rest``: drop it and ask again; ``begin`` other work in its
            place; ``leave``.
        work: what to begin.
    """

    verb: Literal["go_on", "rest", "begin", "leave"]
    work: Any = None


GO_ON, REST, LEAVE = Order("go_on"), Order("rest"), Order("leave")


@dataclass(frozen=True)
class Standing:
    """How a study stands.

    Args:
        over: whether all of its work is done.
        halted: whether it was interrupted.
        failure: why it cannot go on, in one line; empty where it can.
        remark: one line that people should read of how it began; mostly empty.
    """

    over: bool
    halted: bool
    failure: str
    remark: str = ""


@dataclass(frozen=True)
class Process:
    """A worker's process.

    Args:
        node: name of its machine.
        pid: its number there.
        key: distinguishes it from every other process of the worker.
    """

    node: str
    pid: int
    key: str

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.node}"


@dataclass
class _Lease:
    """Work that a worker's process has; ``process`` identifies the process, not the worker."""

    process: Hashable
    work: Any = None


class Coordinator:
    """Hands out a desk's work and takes in what workers report.

    Args:
        desk: what the kind of study decides.
        workers: how many workers there are; with the last one lost for good, the study fails.
    """

    def __init__(self, desk: Desk, workers: int) -> None:
        self._desk, self._left = desk, set(range(workers))
        self._leases: dict[int, _Lease] = {}
        self._choosing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._halted, self._failure = False, ""

    @property
    def over(self) -> bool:
        """Whether no work is left, or the study has failed."""
        return bool(self._failure) or self._desk.over

    async def exchange(
        self, worker: int, process: Hashable, report: Any = None, holds: bool = False
    ) -> Order:
        """Take in a worker's report and say what it does next; waits until there is something to do.

        Args:
            worker: its number.
            process: unlike that of every other process of this worker; its text is shown to people
                (:class:`Process`). The first call of a new process takes the worker over; what the one before
                had is lost.
            report: news of the work that it has; None: it has none.
            holds: whether the work keeps memory or processes until the worker drops it. Once it has ended,
                the order is then to rest first, since the next work may take long to come.
        """
        lease = self._leases.get(worker)
        if lease is None or lease.process != process:
            if report is not None:
                return LEAVE  # of a process that counts as dead
            self._release(worker, "its process died (killed, or out of memory)")
            lease = self._leases[worker] = _Lease(process)
        try:
            if report is not None:
                if self._goes_on(lease, report):
                    return LEAVE if self._failure else GO_ON
                if holds:
                    return REST
            return await self._assign(worker, lease)
        except Exception as error:
            full = storage_failure(error)
            self._fail(f"nothing more can be written: {full}" if full else f"{type(error).__name__}: {error}")
            if full:
                return LEAVE  # Nothing is wrong with the worker.
            raise

    async def lose(self, worker: int, reason: str, for_good: bool) -> None:
        """A worker's process has died.

        Args:
            reason: in one line.
            for_good: whether there will be no other in its place.
        """
        self._release(worker, reason)
        if for_good:
            self._left.discard(worker)
            if not self._left and not self._desk.over:
                self._fail(f"no worker is left; the last one: {reason}")

    async def halt(self) -> None:
        """Hand out nothing more."""
        self._halted = True
        self._desk.halt()
        self._tell()

    async def standing(self) -> Standing:
        """How things stand."""
        failure = self._failure or self._desk.failure
        return Standing(self._desk.over, self._halted, failure, self._desk.remark)

    async def close(self) -> Standing:
        """How things stand in the end; from now on another process may take over the run directory."""
        standing = await self.standing()
        self._desk.close()
        return standing

    def _goes_on(self, lease: _Lease, report: Any) -> bool:
        if self._desk.report(lease.work, report):
            return True
        lease.work = None
        self._tell()
        return False

    async def _assign(self, worker: int, lease: _Lease) -> Order:
        while not self.over:
            changed = self._changed
            async with self._choosing:
                if not self._alive(worker, lease):
                    return LEAVE  # The process died while it waited.
                work = None if self.over else await self._desk.next()
            if work is not None:
                return await self._begin(worker, lease, work)
            await self._news(changed)
        return LEAVE

    async def _begin(self, worker: int, lease: _Lease, work: Any) -> Order:
        """Lease the work once that is durable, unless the process has died or the study has ended by then."""
        await self._desk.commit()
        if self._alive(worker, lease) and not self.over:
            lease.work = work
            return Order("begin", work)
        self._desk.give_back(work)
        self._tell()
        return LEAVE

    async def _news(self, changed: asyncio.Event) -> None:
        """Wait for news; that there is no work left is news for everybody, since nobody knew before."""
        if self._desk.over:
            self._tell()
        await changed.wait()

    def _alive(self, worker: int, lease: _Lease) -> bool:
        """Whether the process that has this lease still counts as the worker's."""
        return self._leases.get(worker) is lease

    def _release(self, worker: int, reason: str) -> None:
        lease = self._leases.pop(worker, None)
        if lease is not None and lease.work is not None:
            try:
                self._desk.lose(lease.work, reason, f"worker {worker}, {lease.process}")
            except Exception as error:  # noqa: BLE001 - nobody waits for an answer who could be told
                self._fail(f"{type(error).__name__}: {error}")
            self._tell()

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or " ".join(reason.split())
        self._tell()

    def _tell(self) -> None:
        """Wake everybody who waits: the desk may have work for them now, or be done."""
        self._changed.set()
        self._changed = asyncio.Event()
