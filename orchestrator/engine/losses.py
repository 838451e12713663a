"""Why Ray lost a process, in one line."""

from __future__ import annotations

from typing import Any

from ray.exceptions import RayActorError, RayTaskError

from orchestrator.engine.ray_private import KilledForMemory, raised


class StudyEndedError(Exception):
    """Raised in the driver where the study cannot go on as it is; says why in one line."""


class StudyLostError(StudyEndedError):
    """The study's coordinator, or its Ray, is gone: the study can go on from its journal.

    Args:
        reason: what is gone, in one line.
        ray: whether Ray itself is gone, and not the coordinator alone.
    """

    def __init__(self, reason: str, ray: bool) -> None:
        super().__init__(reason)
        self.ray = ray


def coordinator_lost(error: RayActorError) -> StudyEndedError:
    """What a coordinator's ``error`` means for its study; what could not be made cannot be made again."""
    reason = f"Ray lost the study's coordinator: {cause_of(error)}"
    return StudyEndedError(reason) if error.actor_init_failed else StudyLostError(reason, ray=False)


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
