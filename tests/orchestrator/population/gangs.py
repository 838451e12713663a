"""Gangs without processes: threads that follow orders, and a collective in which they meet."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from orchestrator.population.island.gang import GangWorkload
from orchestrator.population.island.gang_peers import Answer, Order, Part, Raised
from search_spaces import Config
from tests.orchestrator.population.harness import Walk, WalkSession
from workloads.contract import Device, Metrics
from workloads.devices import ProcessesLostError
from workloads.state import copied

PEER_GONE = "Connection closed by peer [127.0.0.1]:4711"
"""What gloo says."""

PATIENCE = 0.05


class SharedWalk(Walk):
    """A walk that several processes do together: each takes every step, and the others have to be there too.

    Args:
        mishap: called with (session, rank) before each rank's part; may raise.
        accident: as for a walk that one process does; called in every rank.
    """

    def __init__(
        self,
        mishap: Callable[[SharedWalkSession, int], None] = lambda *_: None,
        accident: Callable[[WalkSession], float | None] | None = None,
    ) -> None:
        super().__init__(accident)
        self.mishap = mishap
        self.collective: Collective

    def start_worker(
        self, config: Config, seed: int, device: Device, rank: int, workers: int
    ) -> SharedWalkSession:
        session = SharedWalkSession(config, seed, self.accident)
        session.workload, session.rank = self, rank
        session.meet(("start", seed))
        return session


class SharedWalkSession(WalkSession):
    workload: SharedWalk
    rank: int

    def meet(self, what: object) -> None:
        self.workload.mishap(self, self.rank)
        self.workload.collective.meet(self.rank, (what, self.config, self.age, self.weights.tobytes()))

    def advance(self, amount: int) -> Metrics:
        self.meet("advance")
        return super().advance(amount)


class Collective:
    """As ``torch.distributed``'s: everybody waits for all the others, or hears that one is gone."""

    def __init__(self, workers: int) -> None:
        self._barrier = threading.Barrier(workers)
        self._said: list[Any] = [None] * workers

    def meet(self, rank: int, what: object) -> None:
        """Wait for the others, who have to have come with the same."""
        self._said[rank] = what
        try:
            self._barrier.wait(20)
            assert all(said == what for said in self._said), "processes are not in step"
            self._barrier.wait(20)
        except threading.BrokenBarrierError as error:
            raise RuntimeError(PEER_GONE) from error

    def close(self) -> None:
        """One of them is gone."""
        self._barrier.abort()


class DeadError(BaseException):
    """A process is killed."""


class ThreadPeers:
    """Threads in place of processes."""

    def __init__(self, workload: SharedWalk, workers: int) -> None:
        self._collective = workload.collective
        self._parts = [Part(workload, Device(), rank, workers) for rank in range(1, workers)]
        self._threads = [ThreadPoolExecutor(1) for _ in self._parts]
        self.orders: list[Order] = []

    @property
    def sessions(self) -> list[dict[int, Any]]:
        """Each peer's, by number."""
        return [part._sessions for part in self._parts]

    def post(self, order: Order) -> Sequence[Answer]:
        self.orders.append(order)
        return [
            _answer(thread.submit(self._follow, part, order))
            for part, thread in zip(self._parts, self._threads, strict=True)
        ]

    def end(self) -> None:
        self._collective.close()

    def desert(self) -> None:
        raise AssertionError("ending the peers should have released this process")

    def _follow(self, part: Part, order: Order) -> Raised | None:
        try:
            # As a process would have them.
            return part.follow(replace(order, arguments=tuple(map(copied, order.arguments))))
        except DeadError:
            self._collective.close()
            raise


def _answer(future: Future[Raised | None]) -> Answer:
    def answer(seconds: float | None) -> Raised | None:
        try:
            return future.result(seconds)
        except DeadError as error:
            raise ProcessesLostError("process 1 died") from error

    return answer


def gang(workload: SharedWalk, workers: int = 2) -> tuple[GangWorkload, ThreadPeers]:
    """A gang of threads, with a collective of its own, and its peers."""
    theirs = copy.copy(workload)
    theirs.collective = Collective(workers)
    peers = ThreadPeers(theirs, workers)
    return GangWorkload(theirs, peers, workers, PATIENCE), peers
