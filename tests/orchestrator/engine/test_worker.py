"""How a worker follows its orders; the coordinator is stood in for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.engine.coordinator import GO_ON, LEAVE, REST, Order
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
