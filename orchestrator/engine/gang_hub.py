"""What stands between a worker and the processes that train its trials together."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Condition
from typing import Any

import ray.train

from orchestrator.engine import ray_private
from orchestrator.engine.cluster import Share
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import Workplace
from orchestrator.search.course import Assignment
from orchestrator.search.trials.checkpoints import News
from orchestrator.search.trials.time_limit import overdue
from orchestrator.search.trials.trial_run import Report
from workloads.devices import lost_a_peer


@dataclass(frozen=True)
class GangPlace:
    """Where the processes of a gang work, and for what.

    Args:
        study: the resolved configuration.
        run: the run directory.
        workplace: where the processes work.
        worker: the number of the worker that waits for them.
    """

    study: Mapping[str, Any]
    run: RunDirectory
    workplace: Workplace
    worker: int


@dataclass(frozen=True)
class Lost:
    """A trial whose processes are gone, and why."""

    reason: str


_RAY_TRAIN = {
    # Ray Train would print everything a second time, as a line of its own log.
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    # It would start the processes anew where a node is about to go. A lost trial is the engine's to retry,
    # and the watcher is one more process for every trial.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # Seconds between two looks at the processes: a trial fails with the look after one of them has failed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
}
"""Environment variables of the hub, which Ray Train hands on to its own processes."""


class GangHub:
    """An actor that owns a worker's gang of processes, and stands between them and the worker.

    The processes train one trial after another, and live until :meth:`leave`. Where one of them fails or
    dies, all of them end, and the next trial has others.

    Args:
        place: of the processes.
        work: what each of them does, given ``place`` and ``hub``, its :class:`GangLink`.
    """

    def __init__(self, place: GangPlace, work: Callable[[Mapping[str, Any]], None]) -> None:
        self._place, self._work, self._workers = place, work, place.study["search"]["workers"]
        self._changed = Condition()
        self._reports: SimpleQueue[Report | News | Lost] = SimpleQueue()
        self._waiting: Assignment | None = None
        self._trial: Assignment | None = None
        self._gang, self._trained, self._idle, self._asks = 0, 0, 0, False
        self._verdicts: list[bool] = []
        self._open = self._alive = self._left = False
        self._group: Any = None

    def begin(self, assignment: Assignment) -> bool:
        """Give the processes their next trial; False: there are none, and :meth:`train` is to be called."""
        with self._changed:
            self._reports, self._asks = SimpleQueue(), False
            self._waiting = assignment
            self._hand_out()
            before, self._alive = self._alive, True
            return before

    def begun(self) -> None:
        """Return once the processes have begun the trial that they were given, or others are started."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is None or not self._trained)

    def train(self) -> None:
        """Keep the processes until they leave or fail; whoever waits for a report of them gets one."""
        os.environ.update(_RAY_TRAIN)
        again = True
        while again:
            failure = None
            try:
                self._trainer().fit()
            except Exception as error:  # noqa: BLE001 - whoever waits for a report must get one
                failure = error
            again = self._ended(failure)

    def placed(self, group: Any) -> None:
        """The processes live in this placement group."""
        self._group = group

    def group(self) -> Any:
        """Where the processes live, or have lived last; None: there have been none."""
        return self._group

    def put(self, gang: int, report: Report | News) -> None:
        """A report of the processes to the worker, or news of their checkpoints: after these they go on."""
        with self._changed:
            if gang == self._gang:
                self._open = not (isinstance(report, Report) and report.done)
                self._reports.put(report)

    def next(self) -> Report | News | Lost:
        """The next report, as soon as there is one; after the one before it, the processes are to go on."""
        if self._asks:
            self._decide(True)
        report = self._reports.get()
        self._asks = isinstance(report, Report)
        return report

    def stop(self) -> None:
        """After the last report the processes are not to go on with the trial."""
        self._decide(False)

    def leave(self) -> None:
        """There are no more trials: let the processes end."""
        with self._changed:
            self._left = True
            self._changed.notify_all()

    def work(self, gang: int, number: int) -> Assignment | None:
        """A gang's trial ``number``, from 0, once all processes have come for it; None: they are to end."""
        with self._changed:
            self._idle += gang == self._gang
            self._hand_out()
            self._changed.wait_for(lambda: self._left or gang != self._gang or self._trained > number)
            return None if self._left or gang != self._gang else self._trial

    def goes_on(self, gang: int, number: int) -> bool:
        """Whether a gang is to go on after report ``number``, from 0; waits until that is known."""
        with self._changed:
            self._changed.wait_for(lambda: gang != self._gang or len(self._verdicts) > number)
            return gang == self._gang and self._verdicts[number]

    def _hand_out(self) -> None:
        """Begin the trial that waits, once no process is busy with the one before."""
        if self._waiting is not None and self._idle == self._workers:
            self._trial, self._waiting, self._open = self._waiting, None, True
            self._idle, self._verdicts = 0, []
            self._trained += 1
            self._changed.notify_all()

    def _decide(self, verdict: bool) -> None:
        with self._changed:
            self._verdicts.append(verdict)
            self._open = verdict
            self._changed.notify_all()

    def _ended(self, failure: Exception | None) -> bool:
        """Note that the processes are gone; returns whether the next trial wants others in their place."""
        with self._changed:
            between = self._waiting is not None and self._trained > 0
            # Nobody answers calls of processes that are gone.
            self._gang, self._trained, self._idle = self._gang + 1, 0, 0
            self._changed.notify_all()
            if between:
                return True  # No trial is to blame.
            trial, self._waiting = self._trial if self._open else self._waiting, None
            self._open = self._alive = False
            if failure is not None and trial is not None:
                limit = self._place.study["search"]["time_limit"]
                self._reports.put(last_report(failure, overdue(self._place.run, trial.number, limit)))
            return False

    def _trainer(self) -> Any:
        # It imports torch, which only this process and those that train need.
        from ray.train.torch import TorchTrainer

        place, study = self._place, self._place.study
        hub = ray.get_runtime_context().current_actor
        share = Share.of(study["cluster"], "trial")
        trainer = TorchTrainer(
            self._work,
            train_loop_config={"place": place, "hub": GangLink(hub, self._gang)},
            scaling_config=ray.train.ScalingConfig(
                num_workers=self._workers,
                use_gpu=share.gpus > 0,
                resources_per_worker={"CPU": share.cpus} | ({"GPU": share.gpus} if share.gpus else {}),
            ),
            run_config=ray.train.RunConfig(
                name=f"gang-{place.worker}-{uuid.uuid4().hex[:6]}",
                storage_path=str(place.run.tune / "train"),
            ),
        )
        if not study["cluster"]["dashboard"]:
            ray_private.spare_cleaner(trainer)
        return trainer


@dataclass(frozen=True)
class GangLink:
    """How the processes of a gang reach their hub.

    Args:
        hub: handle of the :class:`GangHub`.
        gang: their gang's number, since an earlier one's calls may still be under way.
    """

    hub: Any
    gang: int

    def work(self, number: int) -> Assignment | None:
        """See :meth:`GangHub.work`."""
        assignment: Assignment | None = ray.get(self.hub.work.remote(self.gang, number))
        return assignment

    def placed(self, group: Any) -> None:
        """See :meth:`GangHub.placed`."""
        ray.get(self.hub.placed.remote(group))

    def put(self, report: Report | News) -> None:
        """See :meth:`GangHub.put`."""
        ray.get(self.hub.put.remote(self.gang, report))

    def goes_on(self, number: int) -> bool:
        """See :meth:`GangHub.goes_on`."""
        verdict: bool = ray.get(self.hub.goes_on.remote(self.gang, number))
        return verdict


class TrialError(Exception):
    """A trial has failed: raised, so that the other processes do not wait for this one."""


def last_report(error: Exception, overdue: str | None) -> Report | Lost:
    """What the workers raised: the configuration's fault where the workload failed or took too long.

    Where one of them died, the others fail as well; then the trial is lost. Where one of them failed, what
    it raised counts, not what its absence made the others raise.
    """
    if overdue is not None:
        return Report(0, {}, 0.0, overdue, done=True, overdue=True)
    causes: list[Exception] = [*getattr(error, "worker_failures", {}).values()] or [error]
    others = [cause for cause in causes if not isinstance(cause, TrialError)]
    if others:
        return Lost(f"{type(others[0]).__name__}: {others[0]}".strip().partition("\n")[0])
    own = [cause for cause in causes if not lost_a_peer(cause.args[0])]
    if not own:
        return Lost(f"another of its processes is gone: {causes[0].args[0]}")
    failure, trace = own[0].args
    return Report(0, {}, 0.0, failure, done=True, traceback=trace)
