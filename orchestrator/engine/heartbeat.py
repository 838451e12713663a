"""Signs of life: workers' processes give them to the coordinator, which knows who has gone silent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.engine.coordinator import Process

BEATS = 4
"""Signs of life that a process gives within the time after which it counts as silent."""

LONGEST_PERIOD = 5.0
"""Seconds between two of them at most."""


@dataclass(frozen=True)
class Heartbeat:
    """A worker's sign of life.

    Args:
        worker: its number.
        process: which process of that worker lives.
        node: the Ray node that it is on.
    """

    worker: int
    process: Process
    node: str


@dataclass(frozen=True)
class Pulse:
    """How a study's coordinator and its workers are.

    Args:
        pid: the coordinator's process.
        node: the Ray node that it is on.
        silent: the last heartbeats of workers that have given none for too long.
        over: whether no worker is needed any more.
    """

    pid: int
    node: str
    silent: tuple[Heartbeat, ...]
    over: bool


class Heartbeats:
    """When each worker was last heard.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard: dict[int, tuple[Heartbeat, float]] = {}

    def hear(self, beat: Heartbeat) -> None:
        """A worker has given a sign of life."""
        self._heard[beat.worker] = beat, self._clock()

    def forget(self, worker: int) -> None:
        """A worker's process has ended, and is not expected to be heard."""
        self._heard.pop(worker, None)

    def silent(self, seconds: float) -> tuple[Heartbeat, ...]:
        """The last heartbeats of workers that have not been heard for longer than this."""
        now = self._clock()
        return tuple(beat for beat, heard in self._heard.values() if now - heard > seconds)


class Heart:
    """Gives signs of life from a thread, whatever the process computes meanwhile.

    Args:
        beat: gives one; what it raises is ignored.
        silence: seconds without one after which the process counts as silent.
    """

    def __init__(self, beat: Callable[[], object], silence: float) -> None:
        self._beat, self._period = beat, min(silence / BEATS, LONGEST_PERIOD)
        self._stopped = threading.Event()
        beat()
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Give no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._period):
            with suppress(Exception):
                self._beat()


def own_pulse(node: str, silent: tuple[Heartbeat, ...], over: bool) -> Pulse:
    """The pulse of a coordinator that runs in this process."""
    return Pulse(os.getpid(), node, silent, over)
