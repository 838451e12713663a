"""A study's one actor, which holds its journal and decides."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import suppress
from functools import cached_property
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.engine.heartbeat import Heartbeat, Heartbeats, Pulse, own_pulse
from orchestrator.engine.processes import end_with_parent

NAMESPACE = "orchestrator"
"""Ray's namespace of the actors, so that workers find theirs from any job's process."""

SPARE_CALLS = 100
"""Calls that an actor takes besides one from each worker: the driver's, and those of processes that died."""


class StudyActor:
    """What the dashboard calls a study's actor; set ``study_name`` first of all."""

    study_name = "a study"
    """Ray asks for the representation also of an actor that could not be made."""

    @cached_property
    def heartbeats(self) -> Heartbeats:
        """When each of the study's workers was last heard."""
        return Heartbeats(time.monotonic)

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether no worker is needed any more."""

    async def guard(self) -> None:
        """End with Ray, whatever the actor is doing, so that another one can have the journal."""
        end_with_parent()

    async def beat(self, beat: Heartbeat) -> None:
        """A worker's process lives."""
        self.heartbeats.hear(beat)

    async def ended(self, worker: int) -> None:
        """A worker's process has ended; it is not expected to be heard."""
        self.heartbeats.forget(worker)

    async def pulse(self, silence: float) -> Pulse:
        """How the study's processes are.

        Args:
            silence: seconds after which a worker that gives no sign of life counts as silent.
        """
        node = ray.get_runtime_context().get_node_id()
        return own_pulse(node, self.heartbeats.silent(silence), self.over)

    def __repr__(self) -> str:
        return f"coordinator of {self.study_name}"


def start_actor(kind: type, name: str, calls: int, *arguments: Any) -> Any:
    """A handle to a new actor of class ``kind``, once it has been made; see :func:`launch_actor`."""
    handle = launch_actor(kind, name, calls, *arguments)
    ray.get(handle.__ray_ready__.remote())
    return handle


def launch_actor(kind: type, name: str, calls: int, *arguments: Any) -> Any:
    """A handle to a new actor of class ``kind`` at once; its calls wait until it has been made.

    It lives with the driver if it can: a node that comes and goes would take the study along.

    Args:
        kind: an asyncio class, a :class:`StudyActor`.
        name: by which workers find it.
        calls: how many calls of workers may wait at once; Ray's default is 1,000, and then hears no other.
        arguments: of the class.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    actor = ray.remote(kind).options(
        name=name,
        namespace=NAMESPACE,
        num_cpus=0,
        scheduling_strategy=here,
        max_concurrency=calls + SPARE_CALLS,
    )
    handle = actor.remote(*arguments)
    handle.guard.remote()
    return handle


def end_actor(handle: Any) -> None:
    """End an actor at once; one that has died, or whose Ray has, is left alone."""
    with suppress(ray.exceptions.RayError, ConnectionError):
        ray.kill(handle)


def find_actor(name: str) -> Any:
    """The handle of an actor that :func:`start_actor` made."""
    return ray.get_actor(name, namespace=NAMESPACE)
