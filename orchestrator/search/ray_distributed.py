"""A trial that several processes train together, with Ray Train's TorchTrainer inside a Ray Tune trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ray.train
from ray import tune
from ray.train.torch import TorchTrainer
from ray.train.v2.api.exceptions import TrainingFailedError
from ray.tune.integration.ray_train import TuneReportCallback

from orchestrator.assemble import assemble_workload
from orchestrator.cluster import Share, prepare_device
from orchestrator.run_directory import RunDirectory
from orchestrator.search.course import Assignment
from orchestrator.search.ray_trial import ASSIGNMENT, goal_of, message, overdue, overdue_mark, within
from orchestrator.search.trial_run import Report, TrialRun, trial_seed
from search_spaces import build_space
from workloads.base import DistributedWorkload


def train_together(config: dict[str, Any], study: Mapping[str, Any], run: RunDirectory) -> None:
    """Tune's function trainable: trains one configuration with ``search.workers`` processes.

    The processes are Ray Train's own, in a placement group of their own, so the trial itself needs no
    resources. ``Tuner(TorchTrainer(...))`` is no more.
    """
    assignment: Assignment = config[ASSIGNMENT]
    share, search = Share.of(study["cluster"], "trial"), study["search"]
    trainer = TorchTrainer(
        _work,
        train_loop_config={"assignment": assignment, "study": study, "run": run},
        scaling_config=ray.train.ScalingConfig(
            num_workers=search["workers"],
            use_gpu=share.gpus > 0,
            resources_per_worker={"CPU": share.cpus} | ({"GPU": share.gpus} if share.gpus else {}),
        ),
        run_config=ray.train.RunConfig(
            name=f"trial-{assignment.number}",
            storage_path=str(run.tune / "train"),
            callbacks=[TuneReportCallback()],
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        reason = overdue(run, assignment.number, search["time_limit"]) or _reason(error)
        tune.report({"report": Report(0, {}, 0.0, reason, done=True), "done": True})


def _work(settings: Mapping[str, Any]) -> None:
    """What each of the processes does; the first one's reports count."""
    study, assignment = settings["study"], settings["assignment"]
    config = assignment.suggestion.config
    device = prepare_device(Share.of(study["cluster"], "trial"))
    workload = assemble_workload(study, build_space(study["search_space"]))
    assert isinstance(workload, DistributedWorkload)  # as the study has checked
    context, goal = ray.train.get_context(), goal_of(study, workload, assignment)
    rank, workers = context.get_world_rank(), context.get_world_size()
    seed = trial_seed(study["seed"], config)
    training = TrialRun(lambda: workload.start_worker(config, seed, device, rank, workers), goal)
    # One of them is enough: where another hangs, it waits for that one.
    limit = study["search"]["time_limit"] if rank == 0 else None
    done = False
    while not done:
        with within(limit, training.seconds, overdue_mark(settings["run"], assignment.number)):
            report = training.advance()
        if report.failure:
            raise _TrialError(report.failure)
        ray.train.report(message(report, goal))
        done = report.done


class _TrialError(Exception):
    """A trial has failed: raised, so that the other processes do not wait for this one."""


def _reason(error: TrainingFailedError) -> str:
    """One line out of what the workers raised."""
    failures = getattr(error, "worker_failures", {})
    cause: BaseException = next(iter(failures.values()), error)
    text = str(cause) if isinstance(cause, _TrialError) else f"{type(cause).__name__}: {cause}"
    return text.strip().partition("\n")[0]
