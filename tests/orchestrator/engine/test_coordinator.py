"""The coordinator without Ray: who gets which work, and what becomes of work whose worker dies."""

from __future__ import annotations

import asyncio
import errno
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine.coordinator import GO_ON, LEAVE, REST, Coordinator, Order, Process


class Counted:
    """A desk of numbered pieces that take ``reports`` reports each; lost pieces come back."""

    def __init__(self, pieces: int, reports: int = 2) -> None:
        self.waiting, self.reports = deque(range(pieces)), reports
        self.running: dict[int, int] = {}
        self.done: list[int] = []
        self.lost: list[tuple[int, str]] = []
        self.losers: list[str] = []
        self.choosing = self.most_choosing = 0
        self.halted = False

    @property
    def over(self) -> bool:
        return self.halted or not (self.waiting or self.running)

    failure, remark = "", ""

    async def next(self) -> int | None:
        self.choosing += 1
        self.most_choosing = max(self.most_choosing, self.choosing)
        await asyncio.sleep(0)
        self.choosing -= 1
        if self.halted or not self.waiting:
            return None
        piece = self.waiting.popleft()
        self.running[piece] = 0
        return piece

    def report(self, work: Any, report: Any) -> bool:
        self.running[work] += 1
        if self.running[work] < self.reports:
            return True
        del self.running[work]
        self.done.append(work)
        return False

    async def commit(self) -> None:
        await asyncio.sleep(0)

    def give_back(self, work: Any) -> None:
        del self.running[work]
        self.waiting.appendleft(work)

    def lose(self, work: Any, reason: str, process: str) -> None:
        self.lost.append((work, reason))
        self.losers.append(process)
        del self.running[work]
        self.waiting.append(work)

    def halt(self) -> None:
        self.halted = True

    def close(self) -> None:
        self.halted = True


async def work(coordinator: Coordinator, worker: int, dies: Callable[[], bool] = lambda: False) -> None:
    """One worker's life; a process that dies is followed by another, which says so or does not."""
    for process in range(1000):
        order = await coordinator.exchange(worker, f"{worker}-{process}")
        while order != LEAVE:
            await asyncio.sleep(0)
            if dies():
                if dies():
                    await coordinator.lose(worker, "killed", for_good=False)
                break
            order = await coordinator.exchange(worker, f"{worker}-{process}", "news")
        else:
            return


def together(*lives: Awaitable[None]) -> None:
    async def run() -> None:
        await asyncio.wait_for(asyncio.gather(*lives), 20)

    asyncio.run(run())


def test_every_piece_is_done_once_and_all_leave() -> None:
    desk = Counted(30)
    coordinator = Coordinator(desk, 4)
    together(*(work(coordinator, worker) for worker in range(4)))
    assert sorted(desk.done) == list(range(30))
    assert desk.most_choosing == 1, "a desk is not asked while it thinks"


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), workers=st.integers(1, 5), risk=st.floats(0, 0.5))
def test_whatever_dies_each_piece_is_done_once(seed: int, workers: int, risk: float) -> None:
    rng = np.random.default_rng(seed)
    desk = Counted(12)
    coordinator = Coordinator(desk, workers)
    together(*(work(coordinator, worker, lambda: bool(rng.random() < risk)) for worker in range(workers)))
    assert Counter(desk.done) == Counter(range(12))


def run(coroutine: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await asyncio.wait_for(coroutine, 20)

    return asyncio.run(main())


def test_a_process_that_counts_as_dead_is_sent_away() -> None:
    async def scene() -> None:
        desk = Counted(1)
        coordinator = Coordinator(desk, 1)
        assert await coordinator.exchange(0, "old") == Order("begin", 0)
        assert await coordinator.exchange(0, "new") == Order("begin", 0)
        assert [piece for piece, _ in desk.lost] == [0]
        assert await coordinator.exchange(0, "old", "news") == LEAVE
        assert await coordinator.exchange(0, "new", "news") == GO_ON
        assert await coordinator.exchange(0, "new", "news") == LEAVE
        assert desk.done == [0]

    run(scene())


def test_a_worker_waits_for_work_that_may_come_back() -> None:
    async def scene() -> None:
        desk = Counted(1)
        coordinator = Coordinator(desk, 2)
        await coordinator.exchange(0, "first")
        idle = asyncio.create_task(coordinator.exchange(1, "second"))
        await asyncio.sleep(0.01)
        assert not idle.done()
        await coordinator.lose(0, "killed", for_good=True)
        assert await idle == Order("begin", 0)

    run(scene())


def test_work_that_runs_out_while_it_is_chosen_lets_everybody_go() -> None:
    class Exhausted(Counted):
        """Does not know that there is no work before it is asked for some."""

        found_out = False

        @property
        def over(self) -> bool:
            return self.found_out

        async def next(self) -> int | None:
            piece = await super().next()
            self.found_out = piece is None and not self.running
            return piece

    desk = Exhausted(4)
    coordinator = Coordinator(desk, 3)
    together(*(work(coordinator, worker) for worker in range(3)))
    assert sorted(desk.done) == list(range(4))


def test_a_process_that_died_while_it_waited_takes_no_work() -> None:
    async def scene() -> None:
        desk = Counted(1)
        coordinator = Coordinator(desk, 2)
        await coordinator.exchange(0, "first")
        idle = asyncio.create_task(coordinator.exchange(1, "second"))
        await asyncio.sleep(0.01)
        await coordinator.lose(1, "killed", for_good=False)
        await coordinator.lose(0, "no room", for_good=False)
        assert await idle == LEAVE
        assert desk.lost == [(0, "no room")]

    run(scene())


def test_with_its_last_worker_the_study_fails_and_says_why() -> None:
    async def scene() -> str:
        coordinator = Coordinator(Counted(3), 2)
        await coordinator.lose(0, "no room", for_good=True)
        assert (await coordinator.standing()).failure == ""
        await coordinator.lose(1, "no GPU", for_good=True)
        return (await coordinator.standing()).failure

    assert run(scene()) == "no worker is left; the last one: no GPU"


def test_a_halt_lets_everybody_go() -> None:
    async def scene() -> None:
        coordinator = Coordinator(Counted(1), 2)
        await coordinator.exchange(0, "first")
        idle = asyncio.create_task(coordinator.exchange(1, "second"))
        await asyncio.sleep(0.01)
        await coordinator.halt()
        assert await idle == LEAVE
        assert (await coordinator.standing()).halted

    run(scene())


def test_a_desk_that_raises_fails_the_study_and_lets_everybody_go() -> None:
    class Broken(Counted):
        async def next(self) -> int | None:
            await asyncio.sleep(0.01)
            raise RuntimeError("the optimizer\nis broken")

    async def scene() -> str:
        coordinator = Coordinator(Broken(3), 2)
        waiting = asyncio.create_task(coordinator.exchange(1, "second"))
        with pytest.raises(RuntimeError):
            await coordinator.exchange(0, "first")
        await asyncio.wait([waiting])
        return (await coordinator.standing()).failure

    assert run(scene()) == "RuntimeError: the optimizer is broken"


def test_a_desk_that_cannot_take_a_loss_fails_the_study_and_lets_everybody_go() -> None:
    class Broken(Counted):
        def lose(self, work: Any, reason: str, process: str) -> None:
            raise OSError("no space")

    async def scene() -> str:
        coordinator = Coordinator(Broken(1), 2)
        await coordinator.exchange(0, "first")
        waiting = asyncio.create_task(coordinator.exchange(1, "second"))
        await asyncio.sleep(0.01)
        await coordinator.lose(0, "killed", for_good=False)
        assert await waiting == LEAVE
        return (await coordinator.standing()).failure

    assert run(scene()) == "OSError: no space"


@pytest.mark.parametrize("slow", ["next", "commit"])
def test_work_that_was_chosen_for_a_process_that_died_meanwhile_is_untouched(slow: str) -> None:
    class Slow(Counted):
        async def next(self) -> int | None:
            await asyncio.sleep(0.02 if slow == "next" else 0)
            return await super().next()

        async def commit(self) -> None:
            await asyncio.sleep(0.02 if slow == "commit" else 0)

    async def scene() -> None:
        desk = Slow(1)
        coordinator = Coordinator(desk, 1)
        thinking = asyncio.create_task(coordinator.exchange(0, "first"))
        await asyncio.sleep(0.01)
        await coordinator.lose(0, "killed", for_good=False)
        assert await thinking == LEAVE
        assert await coordinator.exchange(0, "second") == Order("begin", 0)
        assert desk.lost == []

    run(scene())


def test_work_begins_once_it_is_durable_and_others_are_thought_of_meanwhile() -> None:
    class Disk(Counted):
        """Nothing is durable before the disk has been waited for."""

        def __init__(self) -> None:
            super().__init__(2)
            self.written = asyncio.Event()

        async def commit(self) -> None:
            await self.written.wait()

    async def scene() -> None:
        desk = Disk()
        coordinator = Coordinator(desk, 2)
        beginning = [asyncio.create_task(coordinator.exchange(worker, str(worker))) for worker in range(2)]
        await asyncio.sleep(0.01)
        assert sorted(desk.running) == [0, 1]
        assert not any(one.done() for one in beginning)
        desk.written.set()
        assert await asyncio.gather(*beginning) == [Order("begin", 0), Order("begin", 1)]

    run(scene())


def test_a_study_that_is_halted_while_its_work_is_written_begins_none() -> None:
    class Halted(Counted):
        async def commit(self) -> None:
            self.halt()

    desk = Halted(1)
    assert run(Coordinator(desk, 1).exchange(0, "first")) == LEAVE


def test_a_worker_whose_work_holds_memory_is_told_to_drop_it_before_it_waits() -> None:
    async def scene() -> None:
        desk = Counted(2, reports=2)
        coordinator = Coordinator(desk, 1)
        await coordinator.exchange(0, "first")
        assert await coordinator.exchange(0, "first", "news", holds=True) == GO_ON
        assert await coordinator.exchange(0, "first", "news", holds=True) == REST
        assert desk.done == [0]
        assert await coordinator.exchange(0, "first") == Order("begin", 1)

    run(scene())


def test_a_full_disk_lets_everybody_go_at_their_next_report() -> None:
    class Full(Counted):
        full = False

        def report(self, work: Any, report: Any) -> bool:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().report(work, report)

    async def scene() -> str:
        desk = Full(3, reports=9)
        coordinator = Coordinator(desk, 2)
        for worker in range(2):
            await coordinator.exchange(worker, str(worker))
        desk.full = True
        assert await coordinator.exchange(0, "0", "news") == LEAVE
        desk.full = False
        assert await coordinator.exchange(1, "1", "news") == LEAVE
        return (await coordinator.standing()).failure

    assert run(scene()) == "nothing more can be written: No space left on device"


def test_a_loss_names_the_process() -> None:
    async def scene() -> list[str]:
        desk = Counted(1)
        coordinator = Coordinator(desk, 4)
        await coordinator.exchange(3, Process("node-a", 4711, "key"))
        await coordinator.lose(3, "killed", for_good=False)
        return desk.losers

    assert run(scene()) == ["worker 3, pid 4711 on node-a"]
