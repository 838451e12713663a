"""How a worker follows its orders; the coordinator is stood in for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from orchestrator.engine.coordinator import GO_ON, LEAVE, REST, Order
from orchestrator.engine.notice import LEFT, Notice
from orchestrator.engine.worker import PullingWorker
from orchestrator.run.directory import RunDirectory


class Obedient(PullingWorker):
    """Notes what it does."""

    def __init__(self, *orders: Order) -> None:
        self.orders, self.did = list(orders), list[str]()

    def prepare(self, study: Mapping[str, Any], run: RunDirectory) -> None:
        """Nothing."""

    def begin(self, work: Any) -> None:
        self.did.append(f"begin {work}")

    def advance(self) -> Any:
        self.did.append("train")
        return "news"

    def drop(self) -> None:
        self.did.append("drop")

    def _exchange(self, report: Any) -> Order:
        self.did.append("ask" if report is None else "report")
        return self.orders.pop(0)


def test_work_is_dropped_before_the_worker_waits_for_other() -> None:
    worker = Obedient(Order("begin", 0), GO_ON, REST, Order("begin", 1), LEAVE)
    assert worker.step() == {"done": True}
    assert worker.did == [
        *("ask", "drop", "begin 0"),
        *("train", "report", "train", "report", "drop"),
        *("ask", "drop", "begin 1"),
        *("train", "report", "drop"),
    ]


def test_a_worker_that_is_sent_away_at_once_trains_nothing() -> None:
    worker = Obedient(LEAVE)
    assert worker.step() == {"done": True}
    assert "train" not in worker.did


class LeftError(Exception):
    """Stands in for the end of the process."""


@pytest.fixture
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_process_that_is_told_to_end_may_save_and_then_does(handler: None) -> None:
    ended, statuses = threading.Event(), list[int]()

    def end(status: int) -> None:
        statuses.append(status)
        ended.set()

    notice = Notice(0.05, end)
    notice.listen()
    assert not notice.given
    os.kill(os.getpid(), signal.SIGTERM)  # raises nothing in what is trained
    assert notice.given
    assert ended.wait(30) and statuses == [LEFT]


class Saving(Obedient):
    """Has a checkpoint to tell of only once."""

    def advance(self) -> Any:
        super().advance()
        return "checkpoint" if len(self.did) > 6 else "report"

    def saved(self, report: Any) -> bool:
        return bool(report == "checkpoint")


def test_a_worker_that_is_told_to_end_works_on_until_its_work_is_saved() -> None:
    def end(status: int) -> None:
        raise LeftError

    worker = Saving(Order("begin", 0), *[GO_ON] * 20)
    worker._notice = Notice(60, end)
    worker._notice._take(signal.SIGTERM, None)
    with pytest.raises(LeftError):
        worker.step()
    assert worker.did[-2:] == ["train", "report"]
    assert worker.did.count("train") == 3
