"""How Ray Tune's experiments and trials end before their time: halted studies, lost processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ray import tune
from ray.exceptions import RayActorError, RayTaskError

from orchestrator.engine.ray_private import KilledForMemory, raised


class Haltable(Protocol):
    """The course of a study, which may be interrupted."""

    @property
    def halted(self) -> bool:
        """Whether it was."""


class WhenHalted(tune.Stopper):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Ends Tune's experiment when the course is halted."""

    def __init__(self, course: Haltable) -> None:
        self._course = course

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        return self._course.halted

    def __getstate__(self) -> dict[str, Any]:
        return {}


class TrialLostError(Exception):
    """Raised in a trial's own process, for processes of it that are gone."""


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
