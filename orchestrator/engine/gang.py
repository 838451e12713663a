"""A trial that several processes train together, with Ray Train's TorchTrainer."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Condition
from typing import Any

import ray.train

from orchestrator.config.workload import assemble_workload
from orchestrator.engine import ray_private
from orchestrator.engine.cluster import Share, prepare_device
from orchestrator.engine.losses import TrialLostError
from orchestrator.engine.worker import PullingWorker
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import Workplace
from orchestrator.search.course import Assignment
from orchestrator.search.goals import goal_of
from orchestrator.search.time_limit import overdue, overdue_mark, within
from orchestrator.search.trial_run import Report, TrialRun, trial_seed
from search_spaces import build_space
from workloads.contract import DistributedWorkload


@dataclass(frozen=True)
class GangWork:
    """What several processes train together.

    Args:
        assignment: the trial.
        study: the resolved configuration.
        run: the run directory.
        workplace: where the processes work.
        worker: the number of the worker that waits for them.
    """

    assignment: Assignment
    study: Mapping[str, Any]
    run: RunDirectory
    workplace: Workplace
    worker: int


@dataclass(frozen=True)
class Lost:
    """A trial whose processes are gone, and why."""

    reason: str


class Gang:
    """The processes that train one trial together, as the worker that waits for them sees them.

    They are Ray Train's, in a placement group of their own, so the worker itself needs no resources.
    ``Tuner(TorchTrainer(...))`` is no more; and whatever kills a ``TorchTrainer`` leaves its placement group
    behind, unless the dashboard runs. So the processes ask after every report whether they are to go on.

    Args:
        hub: handle of a :class:`GangHub` that has nothing to do.
        work: what they train.
    """

    def __init__(self, hub: Any, work: GangWork) -> None:
        ray.get(hub.clear.remote())
        self._hub, self._training = hub, hub.train.remote(work)

    def next(self) -> Report:
        """Let them train up to the next rung, and return what the first of them reports.

        Raises:
            TrialLostError: one of them died.
        """
        report: Report | Lost = ray.get(self._hub.next.remote())
        if isinstance(report, Lost):
            raise TrialLostError(report.reason)
        return report

    def end(self) -> bool:
        """End the processes, which have trained to the end or wait at a rung, and free what they have.

        Returns whether the hub can train another trial.
        """
        try:
            ray.get(self._hub.stop.remote())
            ray.get(self._training, timeout=_PATIENCE)
        except ray.exceptions.RayError:
            return False
        return True


_THREADS = 4
"""Threads of a gang besides those that its processes wait in: one trains, the others take short calls."""

_PEER_SECONDS = 5.0
"""Ray Train notices within this time that a process has died or failed."""

_PEER_GONE = (
    "connection closed by peer",
    "connection reset by peer",
    "broken pipe",
    "remote process exited",
    "socket closed",
)
"""What torch's gloo and NCCL say when another process of the group is gone, in lower case."""

_PATIENCE = 60.0
"""Seconds that processes may take to end."""

_RAY_TRAIN = {
    # Ray Train would print everything a second time, as a line of its own log.
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    # It would start the processes anew where a node is about to go. A lost trial is the engine's to retry,
    # and the watcher is one more process for every trial.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # Seconds between two looks at the processes: every trial ends with the look after its last report.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
}
"""Environment variables of the hub, which Ray Train hands on to its own processes."""


class GangWorker(PullingWorker):
    """Trains one configuration after another, each with ``search.workers`` processes of its own.

    The processes have a placement group of their own, so the worker itself needs no resources.
    """

    def prepare(self, study: Mapping[str, Any], run: RunDirectory) -> None:
        self._study, self._run = study, run
        self._gang: Gang | None = None
        self._hub: Any = None

    def begin(self, work: Assignment) -> None:
        if self._hub is None:
            calls = _THREADS + self._study["search"]["workers"]
            self._hub = ray.remote(num_cpus=0, max_concurrency=calls)(GangHub).remote()
        given = GangWork(work, self._study, self._run, self._workplace, self._number)
        self._gang = Gang(self._hub, given)

    def advance(self) -> Report:
        assert self._gang is not None
        return self._gang.next()

    def holds(self, report: Report) -> bool:
        """Its processes wait for a verdict, or have yet to end."""
        del report
        return True

    def drop(self) -> None:
        if self._gang is not None:
            if not self._gang.end():
                self._dismiss()
            self._gang = None

    def cleanup(self) -> None:
        super().cleanup()
        self._dismiss()

    def _dismiss(self) -> None:
        """End the hub, and with it what it may still train."""
        if self._hub is not None:
            ray.kill(self._hub)
            self._hub = None


class GangHub:
    """An actor that owns the processes of one trial after another, and stands between them and the worker.

    It outlives its trials, since importing Ray Train and torch takes seconds.
    """

    def __init__(self) -> None:
        self._decided = Condition()
        self.clear()

    def clear(self) -> None:
        """Forget the trial before; its processes have ended."""
        self._reports: SimpleQueue[Report | Lost] = SimpleQueue()
        self._taken = 0
        self._verdicts: list[bool] = []

    def train(self, work: GangWork) -> None:
        """Train a trial to the end; however that fails, the last report says so."""
        os.environ.update(_RAY_TRAIN)
        try:
            self._trainer(work).fit()
        except Exception as error:  # noqa: BLE001 - whoever waits for a report must get one
            limit = work.study["search"]["time_limit"]
            self.put(_last_report(error, overdue(work.run, work.assignment.number, limit)))

    def put(self, report: Report | Lost) -> None:
        """A report of the processes to the worker."""
        self._reports.put(report)

    def next(self) -> Report | Lost:
        """The next report, as soon as there is one; after the one before it, the processes are to go on."""
        if self._taken:
            self._decide(True)
        report = self._reports.get()
        self._taken += 1
        return report

    def stop(self) -> None:
        """After the last report the processes are not to go on."""
        self._decide(False)

    def goes_on(self, number: int) -> bool:
        """Whether the processes are to go on after report ``number``, from 0; waits until that is known."""
        with self._decided:
            self._decided.wait_for(lambda: len(self._verdicts) > number)
            return self._verdicts[number]

    def _decide(self, verdict: bool) -> None:
        with self._decided:
            self._verdicts.append(verdict)
            self._decided.notify_all()

    def _trainer(self, work: GangWork) -> Any:
        # It imports torch, which only this process and those that train need.
        from ray.train.torch import TorchTrainer

        study = work.study
        share, search = Share.of(study["cluster"], "trial"), study["search"]
        trainer = TorchTrainer(
            _work,
            train_loop_config={"work": work, "hub": ray.get_runtime_context().current_actor},
            scaling_config=ray.train.ScalingConfig(
                num_workers=search["workers"],
                use_gpu=share.gpus > 0,
                resources_per_worker={"CPU": share.cpus} | ({"GPU": share.gpus} if share.gpus else {}),
            ),
            run_config=ray.train.RunConfig(
                name=f"trial-{work.assignment.number}",
                storage_path=str(work.run.tune / "train"),
            ),
        )
        if not study["cluster"]["dashboard"]:
            ray_private.spare_cleaner(trainer)
        return trainer


def _work(settings: Mapping[str, Any]) -> None:
    """What each of the processes does, in the launch directory, which Ray Train has left."""
    work: GangWork = settings["work"]
    rank = ray.train.get_context().get_world_rank()
    output = work.workplace.enter(f"worker-{work.worker}.{rank}")
    output.unit = ("trial", work.assignment.number)
    with closing(output):
        _train(work, settings["hub"])


def _train(work: GangWork, hub: Any) -> None:
    """Train up to the end; the first process's reports count."""
    study, assignment = work.study, work.assignment
    config = assignment.suggestion.config
    device = prepare_device(Share.of(study["cluster"], "trial"), study["deterministic"])
    workload = assemble_workload(study, build_space(study["search_space"]))
    assert isinstance(workload, DistributedWorkload)  # as the study has checked
    context, goal = ray.train.get_context(), goal_of(study, workload, assignment)
    rank, workers = context.get_world_rank(), context.get_world_size()
    seed = trial_seed(study["seed"], config, assignment.repeat)
    training = TrialRun(lambda: workload.start_worker(config, seed, device, rank, workers), goal)
    # One of them is enough: where another hangs, it waits for that one.
    limit = study["search"]["time_limit"] if rank == 0 else None
    for number in itertools.count():
        with within(limit, training.seconds, overdue_mark(work.run, assignment.number)):
            report = training.advance()
        if report.failure:
            if _lost_a_peer(report.failure):
                # Whatever ended the other process is to be seen first.
                time.sleep(_PEER_SECONDS)
            raise _TrialError(report.failure, report.traceback)
        if rank == 0:
            ray.get(hub.put.remote(report))
        if report.done or not ray.get(hub.goes_on.remote(number)):
            return


class _TrialError(Exception):
    """A trial has failed: raised, so that the other processes do not wait for this one."""


def _last_report(error: Exception, overdue: str | None) -> Report | Lost:
    """What the workers raised: the configuration's fault where the workload failed or took too long.

    Where one of them died, the others fail as well; then the trial is lost. Where one of them failed, what
    it raised counts, not what its absence made the others raise.
    """
    if overdue is not None:
        return Report(0, {}, 0.0, overdue, done=True)
    causes: list[Exception] = [*getattr(error, "worker_failures", {}).values()] or [error]
    others = [cause for cause in causes if not isinstance(cause, _TrialError)]
    if others:
        return Lost(f"{type(others[0]).__name__}: {others[0]}".strip().partition("\n")[0])
    own = [cause for cause in causes if not _lost_a_peer(cause.args[0])]
    if not own:
        return Lost(f"another of its processes is gone: {causes[0].args[0]}")
    failure, trace = own[0].args
    return Report(0, {}, 0.0, failure, done=True, traceback=trace)


def _lost_a_peer(failure: str) -> bool:
    """Whether a process failed only because another of its group was gone."""
    return any(text in failure.lower() for text in _PEER_GONE)
