"""Ray Tune: settings that its arguments cannot make, for studies with a record of their own."""

from __future__ import annotations

import logging
import os
from typing import Any

import ray


def prepare_tune() -> None:
    """To be called before a study runs; may be called again."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    # A workload's relative paths are those of the directory that the program was started in.
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    # A failed trial has no result for schedulers; Tune would end the study with it.
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"
    # The older of its two ways to print obeys verbose=0.
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    # A trial's death is the study's to tell, in one line.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    # That the cluster has no room yet is Tune's to tell.
    logging.getLogger("ray.tune.execution.insufficient_resources_manager").setLevel(logging.WARNING)
    _survive_memory_kills()
    _leave_callbacks_uncounted()


class KilledForMemory(ray.exceptions.RayActorError):  # type: ignore[misc]  # no type hints that mypy can follow
    """Ray killed an actor's process, since its machine was running out of memory."""


def forgive(trial: Any, failures: int) -> None:
    """Let a Tune trial fail as many times more before it has failed more often than is allowed."""
    trial.run_metadata.num_failures -= failures


def _survive_memory_kills() -> None:
    """Make Tune treat an actor that Ray killed for its memory like any other that died.

    Ray 2.60 calls that an ``OutOfMemoryError``, which is none of the errors that Tune's actor manager knows:
    it raises out of ``fit``, and with the one trial all others end.
    """
    from ray.air.execution._internal import RayActorManager

    if hasattr(RayActorManager, "_knows_memory_kills"):
        return
    fail = RayActorManager._actor_task_failed

    def actor_task_failed(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, ray.exceptions.OutOfMemoryError):
            exception = KilledForMemory(error_msg=str(exception))
        fail(manager, tracked_actor_task, exception)

    RayActorManager._actor_task_failed = actor_task_failed
    RayActorManager._knows_memory_kills = True


def _leave_callbacks_uncounted() -> None:
    """Spare every study a second before its first worker.

    Ray 2.60 imports the trackers that Tune could call, MLflow among them, only to count for its statistics of
    usage which of them a study has.
    """
    from ray.air._internal import usage

    usage.tag_callbacks = lambda _: False
