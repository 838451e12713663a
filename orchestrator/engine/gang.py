"""Trials that several processes train together, with Ray Train's TorchTrainer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any

import ray.train

from orchestrator.config.workload import assemble_workload, prepare_workload
from orchestrator.engine.cluster import Share, prepare_device
from orchestrator.engine.gang_hub import GangHub, GangLink, GangPlace, Lost, TrialError
from orchestrator.engine.gang_saving import GangSaving, agreed
from orchestrator.engine.losses import TrialLostError
from orchestrator.engine.node import once_on_node
from orchestrator.engine.worker import PullingWorker
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import WorkerOutput
from orchestrator.search.course import Assignment
from orchestrator.search.finals.models import TrialModels
from orchestrator.search.goals import goal_of, models_of
from orchestrator.search.trials.checkpoints import News
from orchestrator.search.trials.saving import TrialSaving
from orchestrator.search.trials.scheduled import begun, schedule_of
from orchestrator.search.trials.sessions import together
from orchestrator.search.trials.time_limit import overdue_mark, within
from orchestrator.search.trials.trial_run import Report, TrialRun, trial_seeds
from search_spaces import Config, trusted_space
from workloads.capabilities import DistributedWorkload
from workloads.contract import Device, Session, Workload
from workloads.devices import lost_a_peer

_THREADS = 4
"""Threads of a gang besides those that its processes wait in: one trains, the others take short calls."""

_PEER_SECONDS = 5.0
"""Ray Train notices within this time that a process has died or failed."""

_PATIENCE = 60.0
"""Seconds that processes may take to end."""


class GangWorker(PullingWorker):
    """Trains one configuration after another with ``search.workers`` processes of its own.

    They are Ray Train's, in a placement group of their own, so the worker itself needs no resources.
    ``Tuner(TorchTrainer(...))`` is no more; and whatever kills a ``TorchTrainer`` leaves its placement group
    behind, unless the dashboard runs. So the processes ask after every report whether they are to go on, and
    after every trial for the next: starting them takes many times as long as a small trial.
    """

    def prepare(self, study: Mapping[str, Any], run: RunDirectory) -> None:
        self._place = GangPlace(study, run, self._workplace, self._number)
        self._hub: Any = None
        self._training: Any = None
        self._waits = False

    def begin(self, work: Assignment) -> None:
        if self._hub is None:
            calls = _THREADS + self._place.study["search"]["workers"]
            hub = ray.remote(num_cpus=0, max_concurrency=calls)(GangHub)
            self._hub = hub.remote(self._place, _work)
        if not ray.get(self._hub.begin.remote(work)):
            self._training = self._hub.train.remote()
            return
        try:
            ray.get(self._hub.begun.remote(), timeout=_PATIENCE)
        except ray.exceptions.GetTimeoutError:  # One of them hangs in the trial before.
            self._dismiss()
            self.begin(work)

    def advance(self) -> Report | News:
        """Let the processes train up to the next rung; returns what the first of them reports.

        Raises:
            TrialLostError: one of them died.
        """
        report: Report | News | Lost = ray.get(self._hub.next.remote())
        if isinstance(report, Lost):
            raise TrialLostError(report.reason)
        self._waits = self.holds(report)
        return report

    def holds(self, report: Report | News) -> bool:
        """A trial that is done has closed its sessions itself."""
        return not (isinstance(report, Report) and report.done)

    def drop(self) -> None:
        if self._waits:
            self._waits = False
            # A hub that has died has nothing to stop any more.
            with suppress(ray.exceptions.RayActorError):
                ray.get(self._hub.stop.remote())

    def cleanup(self) -> None:
        super().cleanup()
        if self._hub is not None:
            with suppress(ray.exceptions.RayError):
                ray.get(self._hub.leave.remote())
                if self._training is not None:
                    ray.get(self._training, timeout=_PATIENCE)
            self._dismiss()

    def _dismiss(self) -> None:
        """End the hub, and the processes that have not left.

        A process that hangs would keep the placement group, and with it the resources that the next gang
        needs: Ray Train removes the group itself only where it ends in order.
        """
        group = None
        with suppress(ray.exceptions.RayError):
            group = ray.get(self._hub.group.remote(), timeout=_PEER_SECONDS)
        ray.kill(self._hub)
        self._hub = None
        if group is not None:
            with suppress(ray.exceptions.RayError):
                ray.util.remove_placement_group(group)


def _work(settings: Mapping[str, Any]) -> None:
    """What each of the processes does, in the launch directory, which Ray Train has left."""
    place: GangPlace = settings["place"]
    rank = ray.train.get_context().get_world_rank()
    output = place.workplace.enter(f"worker-{place.worker}.{rank}")
    if rank == 0:
        settings["hub"].placed(ray.util.get_current_placement_group())
    with closing(output):
        _train(place, output, settings["hub"])


def _train(place: GangPlace, output: WorkerOutput, hub: GangLink) -> None:
    """Train trial after trial; the workload is built once."""
    study = place.study
    device = prepare_device(Share.of(study["cluster"], "trial"), study["deterministic"])
    workload = assemble_workload(study, trusted_space(study["search_space"]))
    once_on_node(study, place.workplace, lambda: prepare_workload(workload))
    models = models_of(study, place.run, workload)
    rank, interval = ray.train.get_context().get_world_rank(), study["search"]["checkpoint_seconds"]
    saving = GangSaving(place.run.checkpoints, interval, rank, agreed)
    for number in itertools.count():
        assignment = hub.work(number)
        if assignment is None:
            return
        models.settle()
        output.unit = ("trial", assignment.number)
        _train_one(assignment, workload, device, place, hub, models, saving)


def _begun(
    assignment: Assignment, workload: Workload, device: Device, study: Mapping[str, Any], saving: TrialSaving
) -> TrialRun:
    """This process's part of a trial, which has only begun."""
    assert isinstance(workload, DistributedWorkload)  # as the study has checked
    config, context = assignment.suggestion.config, ray.train.get_context()
    rank, workers = context.get_world_rank(), context.get_world_size()
    seeds = trial_seeds(study["seed"], config, assignment.repeat, study["search"]["repeats"])
    schedule = schedule_of(study, workload)

    def start(seed: int) -> Session:
        def whole(config: Config) -> Session:
            return workload.start_worker(workload.space.meant(config), seed, device, rank, workers)

        return begun(schedule, config, seed, whole)

    meant, origin = workload.space.meant(config), assignment.origin
    saving.begin(assignment.number, origin)
    return TrialRun(
        lambda: together(start, seeds),
        goal_of(study, workload, assignment),
        saving=saving,
        origin=None if origin is None else (origin, meant),
    )


def _train_one(
    assignment: Assignment,
    workload: Workload,
    device: Device,
    place: GangPlace,
    hub: GangLink,
    models: TrialModels,
    saving: TrialSaving,
) -> None:
    """Train up to the end of a trial; the first process's reports count."""
    study, rank = place.study, ray.train.get_context().get_world_rank()
    training = _begun(assignment, workload, device, study, saving)
    # One of them is enough: where another hangs, it waits for that one.
    limit = study["search"]["time_limit"] if rank == 0 else None
    reports = itertools.count()
    while True:
        with within(limit, training.seconds, overdue_mark(place.run, assignment.number)):
            report = training.advance()
        if not isinstance(report, Report):
            if rank == 0:
                hub.put(report)
            continue
        if report.failure:
            if lost_a_peer(report.failure):
                # Whatever ended the other process is to be seen first.
                time.sleep(_PEER_SECONDS)
            raise TrialError(report.failure, report.traceback)
        if rank == 0:
            if report.done and (session := training.release()) is not None:
                models.offer(assignment, report, session)
            hub.put(report)
        if report.done or not hub.goes_on(next(reports)):
            return
