"""Why Ray lost a process, in one line."""

from __future__ import annotations

from typing import Any

from ray.exceptions import RayActorError, RayTaskError

from orchestrator.engine.ray_private import KilledForMemory, raised

CoordinatorLostError = RayActorError
"""Raised by calls of a coordinator whose process has died."""


class TrialLostError(Exception):
    """Raised in a trial's own process when other processes of the trial are gone."""


def cause_of_loss(trial: Any) -> str:
    """Why Tune's ``trial`` was lost, in one line."""
    return cause_of(raised(trial))


def cause_of(error: BaseException | None) -> str:
    """What Ray's ``error`` comes down to, in one line."""
    if isinstance(error, RayTaskError):
        cause = error.cause if isinstance(error.cause, BaseException) else error
        if isinstance(cause, TrialLostError):
            return str(cause)
        lines = str(cause).strip().splitlines() or [""]
        return f"{type(cause).__name__}: {lines[-1] if cause is error else lines[0]}"
    if isinstance(error, KilledForMemory):
        return "its process was killed, since the machine was running out of memory"
    if isinstance(error, RayActorError) and error.actor_init_failed:
        # What was raised while the process was set up is known only as this error's argument.
        return cause_of(next((one for one in error.args if isinstance(one, RayTaskError)), None))
    if error is None or isinstance(error, RayActorError):
        return "its process died (killed, or out of memory)"
    return f"{type(error).__name__}: {error}".partition("\n")[0]
