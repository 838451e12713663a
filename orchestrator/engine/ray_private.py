"""All that this program uses of Ray's private or unstable API; tried with Ray 2.60.0.

``pyproject.toml`` caps Ray's version. What only saves time or adds robustness is left out where a version of
Ray lacks it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray._private import ray_constants

DISCOVERY_FILE: str = ray_constants.PROMETHEUS_SERVICE_DISCOVERY_FILE
"""In a local Ray's folder, where it has a dashboard: the addresses at which its nodes export figures."""

_DEATHS = ("Raylet is terminated.", "A worker died or was killed while executing a task")
"""How Ray's messages to its drivers begin that processes died."""


def local_folder(path: str) -> dict[str, Any]:
    """The argument of ``ray.init`` for the folder of a local Ray's files."""
    return {"_temp_dir": path}


@contextmanager
def on_loopback() -> Iterator[None]:
    """Let a Ray that is started in the block listen on 127.0.0.1 alone, as Ray itself does on macOS.

    Otherwise all of the machine's addresses reach it. ``ray.init`` has no argument for this: it replaces a
    loopback address that it is given by the machine's own.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def end_children() -> None:
    """Let a Ray that is started from now on end, with each worker, all that the worker has started.

    Also where the worker was killed; without this they would live as long as Ray. On a cluster it is for
    whoever starts the nodes to set.
    """
    os.environ.setdefault("RAY_process_group_cleanup_enabled", "1")


def importing(directories: Sequence[str]) -> ray.job_config.JobConfig:
    """A job whose workers find modules in these directories too, not in the working directory alone."""
    # A worker puts each in front of those before it.
    return ray.job_config.JobConfig(_py_driver_sys_path=list(reversed(directories)))


def job_variables(own: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that ``ray job submit`` passes to workers itself, if it started this process.

    Ray refuses to be given one of them again.

    Args:
        own: this process's environment.
    """
    with suppress(ValueError, AttributeError):
        job = json.loads(own.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
        return tuple((job.get("runtime_env") or {}).get("env_vars") or ())
    return ()


def upload_sizes(folder: Path, excluded: Sequence[str]) -> dict[str, int]:
    """Bytes of what Ray would send of a folder, by the first part of the path in it.

    Args:
        excluded: patterns as in a ``.gitignore``, besides those that Ray finds in the folder.
    """
    sizes: dict[str, int] = {}

    def add(path: Path) -> None:
        with suppress(OSError):
            if path.is_file():
                name = path.relative_to(folder).parts[0]
                sizes[name] = sizes.get(name, 0) + path.stat().st_size

    with suppress(ImportError, AttributeError, TypeError):
        from ray._private.ray_constants import get_runtime_env_default_excludes
        from ray._private.runtime_env import packaging

        given = packaging._get_excludes(folder, [*get_runtime_env_default_excludes(), *excluded])
        packaging._dir_travel(folder, [given], add, include_gitignore=True)
    return sizes


def health_check(address: str) -> list[str]:
    """The command that ends with 0 where a Ray head of this version answers at ``address``."""
    return [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]


def dashboard_url() -> str | None:
    """Where the connected Ray's dashboard is, without a scheme; None where there is none."""
    with suppress(AttributeError):
        url: str | None = ray._private.worker.get_dashboard_url()
        return url or None
    return None


def dead_processes() -> tuple[str, ...]:
    """Those of its main processes that have died of a Ray that this process started; none of any other."""
    names = {"gcs_server": "GCS", "raylet": "raylet"}
    with suppress(AttributeError):
        started = ray._private.worker._global_node.all_processes
        return tuple(
            name
            for kind, name in names.items()
            if any(one.process.poll() is not None for one in started.get(kind, ()))
        )
    return ()


def head_answers(seconds: float) -> bool:
    """Whether the connected Ray's head answers within this time; True where that cannot be asked."""
    with suppress(AttributeError, ImportError):
        exists = ray._private.worker.global_worker.gcs_client.internal_kv_exists
        try:
            exists(b"orchestrator", timeout=seconds)
        except Exception:  # noqa: BLE001 - besides RpcError, AuthenticationError where another head answers
            return False
    return True


def leave_deaths_to_the_study() -> None:
    """Keep Ray from showing tracebacks and its logs where a process died: the study says that in a line.

    To be called before Ray is connected; may be called again.
    """
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    with suppress(AttributeError):
        _filter_messages()


def _filter_messages() -> None:
    worker = ray._private.worker
    if hasattr(worker.print_to_stdstream, "leaves_deaths"):
        return
    show = worker.print_to_stdstream

    def shown(data: Mapping[str, Any], *arguments: Any, **options: Any) -> None:
        if not (data.get("pid") == "raylet" and "".join(data.get("lines", ())).startswith(_DEATHS)):
            show(data, *arguments, **options)

    shown.leaves_deaths = True  # type: ignore[attr-defined]
    worker.print_to_stdstream = shown


def end_monitor() -> None:
    """End a local Ray's autoscaler, which does nothing there; Ray 2.60 would wait a second for it in vain."""
    with suppress(AttributeError):
        ray._private.worker._global_node.kill_monitor(check_alive=False)


def spare_cleaner(trainer: Any) -> None:
    """Let a ``TorchTrainer`` do without the actor that removes its placement group if its controller dies.

    For a Ray without a dashboard, since that actor asks the dashboard. Ray 2.60 starts it all the same: one
    more process for every training. It learns nothing, unless another Ray's dashboard has the port; that one
    does not know the controller, and the placement group of a training that goes on would be removed.
    """
    with suppress(ImportError, AttributeError):
        from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback

        make = trainer._create_default_callbacks
        trainer._create_default_callbacks = lambda: [
            callback for callback in make() if not isinstance(callback, PlacementGroupCleanerCallback)
        ]


def prepare_tune() -> None:
    """Make the settings of Tune that its arguments cannot, for studies with a record of their own.

    To be called before a study runs; may be called again.
    """
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    # A workload's relative paths are those of the directory that the program was started in.
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    # A failed trial has no result for schedulers; Tune would end the study with it.
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"
    # What a trial died of is the study's to tell, in one line.
    os.environ["TUNE_PRINT_ALL_TRIAL_ERRORS"] = "0"
    # The older of its two ways to print obeys verbose=0.
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    # A trial's death is the study's to tell, in one line.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    # That the cluster has no room yet is Tune's to tell.
    logging.getLogger("ray.tune.execution.insufficient_resources_manager").setLevel(logging.WARNING)
    with suppress(ImportError, AttributeError):
        _survive_memory_kills()
    with suppress(ImportError, AttributeError):
        _leave_callbacks_uncounted()


class KilledForMemory(ray.exceptions.RayActorError):  # type: ignore[misc]  # no type hints that mypy can follow
    """Ray killed an actor's process, since its machine was running out of memory."""


def forgive(trial: Any, failures: int) -> None:
    """Let a Tune trial fail as many times more before it has failed more often than is allowed."""
    trial.run_metadata.num_failures -= failures


def allow_failures(trial: Any, most: int) -> None:
    """Set how often a Tune trial is started again: 0 never, -1 without limit."""
    trial.max_failures = most


def raised(trial: Any) -> BaseException | None:
    """What ended a Tune trial. Tune's own accessors look where it will be stored, later."""
    path = trial.pickled_error_file
    if path is None or not Path(path).exists():
        return None
    with Path(path).open("rb") as file:
        error: BaseException = cloudpickle.load(file)
    return error


def _survive_memory_kills() -> None:
    """Make Tune treat an actor that Ray killed for its memory like any other that died.

    Ray 2.60 calls that an ``OutOfMemoryError``, which is none of the errors that Tune's actor manager knows:
    the error escapes ``fit`` and ends every trial.
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
