"""A worker: one long-lived Ray Tune trial that works for the coordinator."""

from __future__ import annotations

import os
import shutil
import socket
import time
import uuid
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import ray
from ray import tune

from orchestrator.engine.actor import find_actor
from orchestrator.engine.coordinator import Order, Process
from orchestrator.engine.heartbeat import Heart, Heartbeat
from orchestrator.engine.notice import Notice
from orchestrator.engine.processes import end_with_parent
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import Workplace
from workloads.contract import Device

STEP_SECONDS = 1.0
"""Work between two returns to Ray Tune: long against its bookkeeping, short enough to be watched."""


class Worker(tune.Trainable):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """A process of a study, placed and restarted by Ray Tune.

    Config: ``worker`` (its number), ``workers`` (how many there are), ``resources`` (bundles of its
    placement group: the first is its own, the others are of processes that it starts).
    Parameters: ``study`` (resolved configuration), ``run`` (directory), ``coordinator`` (its name),
    ``workplace``.
    """

    noun: ClassVar[str] = "worker"
    """What people call it; with its number, the name of its trial and of its log."""

    notice_seconds: ClassVar[float] = 0.0
    """How long it may go on after SIGTERM, to save what it does."""

    _heart: Heart | None = None
    _notice: Notice | None = None

    @property
    def noticed(self) -> bool:
        """Whether this process is to end soon."""
        return self._notice is not None and self._notice.given

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Its bundles; ``tune.with_resources`` would hide this class's name from the dashboard."""
        return tune.PlacementGroupFactory([dict(bundle) for bundle in config["resources"]])

    def setup(
        self,
        config: dict[str, Any],
        study: Mapping[str, Any],
        run: RunDirectory,
        coordinator: str,
        workplace: Workplace,
    ) -> None:
        self._number: int = config["worker"]
        self._workers: int = config["workers"]
        self._workplace, self._output = workplace, workplace.enter(f"{self.noun}-{self._number}")
        self._coordinator, self._coordinator_name = find_actor(coordinator), coordinator
        self._scratch, self._logs = run.scratch / f"{self.noun}-{self._number}", run.logs
        shutil.rmtree(self._scratch, ignore_errors=True)  # of a process with this number that died
        self._process = Process(socket.gethostname(), os.getpid(), uuid.uuid4().hex)
        end_with_parent()
        self._notice = Notice(self.notice_seconds)
        self._notice.listen()
        self._heart = self._beating(study["cluster"]["heartbeat"])
        self.prepare(study, run)

    @abstractmethod
    def prepare(self, study: Mapping[str, Any], run: RunDirectory) -> None:
        """Build what all of its work needs, once."""

    def own(self, device: Device) -> Device:
        """The device with places for files of this worker's sessions, and for what their programs print."""
        return replace(device, scratch=self._scratch, logs=self._logs, unit="programs")

    def cleanup(self) -> None:
        if self._heart is not None:
            self._heart.stop()
            self._coordinator.ended.remote(self._number)
        self._output.close()

    def _beating(self, silence: float | None) -> Heart | None:
        """Let the coordinator know from now on that this process lives; None: nobody wants to know."""
        if silence is None:
            return None
        beat = Heartbeat(self._number, self._process, ray.get_runtime_context().get_node_id())
        return Heart(lambda: self._coordinator.beat.remote(beat), silence)


class PullingWorker(Worker):
    """Does one piece of work after another, until the coordinator sends it away."""

    notice_seconds = 20.0
    """Less than spot nodes, schedulers of clusters and Kubernetes give (25 s and more)."""

    _working = False

    @abstractmethod
    def begin(self, work: Any) -> None:
        """Take up a piece of work in place of the one before."""

    @abstractmethod
    def advance(self) -> Any:
        """Go on with it up to the next report, and return that."""

    def holds(self, report: Any) -> bool:
        """Whether the work, if it ends with ``report``, keeps memory or processes until it is dropped."""
        del report
        return False

    def saved(self, report: Any) -> bool:
        """Whether little is lost where the process ends after ``report``, or no more can be saved."""
        del report
        return True

    def drop(self) -> None:
        """Free what the piece of work held; another may not come for long."""

    def step(self) -> dict[str, Any]:
        """Work for about a second."""
        until = time.monotonic() + STEP_SECONDS
        while self._obey(self._exchange(report := self.advance() if self._working else None)):
            if self._notice is not None and self.noticed and self.saved(report):
                self._notice.leave()
            if time.monotonic() >= until:
                return {"done": False}
        return {"done": True}

    def cleanup(self) -> None:
        self.drop()
        super().cleanup()

    def _exchange(self, report: Any) -> Order:
        holds = report is not None and self.holds(report)
        order: Order = ray.get(self._coordinator.exchange.remote(self._number, self._process, report, holds))
        return order

    def _obey(self, order: Order) -> bool:
        """Follow an order; returns whether the worker stays."""
        if order.verb != "go_on":
            self.drop()
            self._working = False
        if order.verb == "begin":
            self.begin(order.work)
            self._working = True
        return order.verb != "leave"
