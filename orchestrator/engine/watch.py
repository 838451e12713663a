"""From the driver's side: whether a study's coordinator, its Ray and its workers still live."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.engine import ray_private
from orchestrator.engine.heartbeat import Pulse
from orchestrator.engine.losses import StudyLostError, cause_of, coordinator_lost
from orchestrator.engine.processes import kill, kill_if_hung

LOOK_SECONDS = 1.0
"""Time between two looks at a study."""

HEAD_SECONDS = 10.0
"""How long a cluster's head may take to answer, and the time between two questions."""

SILENT_HEAD_SECONDS = 30.0
"""How long it may be since it has answered."""

LEAVING_SECONDS = 8.0
"""How long Ray Tune may take to end by itself; then it is left where it is."""

OVER_SECONDS = 10.0
"""How long workers may take to leave a study that is over before those that are not there are given up."""

WRONG_CLUSTER = "WrongClusterID"
"""How a head refuses processes that were connected to the one before it."""

CHECK_SECONDS = 20.0
"""How long it may take a node to start the process that looks at a silent one."""


class Watch:
    """Looks after a study while it is used as a context, in a thread.

    Where the coordinator or Ray is lost, :attr:`halted` is set, the main thread is freed from whatever call
    it waits in, and the context ends with :class:`StudyLostError` whatever was raised inside. A worker that
    has gone silent is ended, and Ray Tune starts another in its place.

    Args:
        coordinator: handle of the study's :class:`.actor.StudyActor`.
        silence: seconds without a sign of life after which a process counts as silent; None: nobody is
            watched for silence.
        noun: what people call a worker.
        say: shows people a line.

    Attributes:
        halted: set where Ray Tune is to end: the study is lost, or is over and still lacks workers.
    """

    def __init__(
        self, coordinator: Any, silence: float | None, noun: str, say: Callable[[str], None]
    ) -> None:
        self._coordinator, self._silence, self._noun, self._say = coordinator, silence, noun, say
        self.halted = threading.Event()
        self._lost: StudyLostError | None = None
        self._pulse: Pulse | None = None
        self._heard = self._head_heard = time.monotonic()
        self._over_since: float | None = None
        self._suspected: set[str] = set()
        self._left = threading.Event()
        self._threads = [
            threading.Thread(target=work, name="watch", daemon=True) for work in (self._run, self._ask_head)
        ]

    def __enter__(self) -> Self:
        self._here = ray.get_runtime_context().get_node_id()
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGUSR2, self._free)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        if self._main:
            signal.signal(signal.SIGUSR2, self._before)
        if self._lost is None and isinstance(error, Exception):
            # Whatever was raised may have come of a loss that nobody has looked at yet.
            self._lost = self._looked() or _another_head(error)
        if error is not None and self._lost is not None:
            self._end_coordinator()
            raise self._lost from None

    def _free(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal calls it
        """Ray lets no other exception of a signal's handler through."""
        if not self._left.is_set():
            raise KeyboardInterrupt

    def _run(self) -> None:
        while not self._left.wait(LOOK_SECONDS):
            lost = self._looked()
            if lost is not None and not self._left.is_set():
                self._lost = lost
                self._leave(lost)

    def _looked(self) -> StudyLostError | None:
        try:
            return self._look()
        except ray.exceptions.RayActorError as error:
            ended = coordinator_lost(error)
            # Another attempt would not make a coordinator that could not be made.
            return ended if isinstance(ended, StudyLostError) else None
        except (ray.exceptions.RayError, ConnectionError) as error:
            return StudyLostError(f"Ray is gone: {cause_of(error)}", ray=True)

    def _look(self) -> StudyLostError | None:
        """What is lost now; None: nothing."""
        if (lost := _lost_ray()) is not None:
            return lost
        if time.monotonic() - self._head_heard > SILENT_HEAD_SECONDS:
            return StudyLostError("the head of the Ray cluster does not answer", ray=True)
        try:
            pulse: Pulse = ray.get(
                self._coordinator.pulse.remote(self._silence or float("inf")), timeout=LOOK_SECONDS
            )
        except ray.exceptions.GetTimeoutError:
            self._suspect_coordinator()
            return None
        self._pulse, self._heard = pulse, time.monotonic()
        for beat in pulse.silent:
            who = f"{self._noun} {beat.worker} ({beat.process})"
            self._suspect(beat.process.key, beat.process.pid, beat.node, who)
        self._note_end(pulse.over)
        return None

    def _ask_head(self) -> None:
        """In a thread of its own, since a head that is gone may leave this waiting for a minute."""
        while not self._left.wait(HEAD_SECONDS):
            if ray_private.head_answers(HEAD_SECONDS):
                self._head_heard = time.monotonic()

    def _suspect_coordinator(self) -> None:
        """Where it has answered before, and no longer does, end it unless it computes."""
        silent = time.monotonic() - self._heard
        if self._silence is not None and self._pulse is not None and silent > self._silence:
            self._suspect("coordinator", self._pulse.pid, self._pulse.node, "the study's coordinator")

    def _suspect(self, key: str, pid: int, node: str, who: str) -> None:
        """End a silent process unless it computes, in a thread: without its head Ray might never answer."""

        def check() -> None:
            if self._end_if_hung(pid, node):
                self._say(
                    f"{who} gave no sign of life for {self._silence:g} s: another process takes its place"
                )
            else:
                self._suspected.discard(key)  # It computes, or its node is gone; Ray finds out about that.

        if key not in self._suspected:
            self._suspected.add(key)
            threading.Thread(target=check, name="suspicion", daemon=True).start()

    def _end_if_hung(self, pid: int, node: str) -> bool:
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        look = ray.remote(kill_if_hung).options(num_cpus=0, scheduling_strategy=there, name="hung?")
        with suppress(ray.exceptions.RayError):
            return bool(ray.get(look.remote(pid), timeout=CHECK_SECONDS))
        return False

    def _note_end(self, over: bool) -> None:
        """A study that is over does not wait for workers that have no node."""
        if not over:
            return
        self._over_since = self._over_since or time.monotonic()
        if time.monotonic() - self._over_since > OVER_SECONDS:
            self.halted.set()

    def _leave(self, lost: StudyLostError) -> None:
        """Let Ray Tune end where Ray lives; else, or where it does not, free the main thread."""
        self.halted.set()
        if not lost.ray:
            self._left.wait(LEAVING_SECONDS)
        while self._main and not self._left.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
            self._left.wait(LOOK_SECONDS)
        self._left.set()

    def _end_coordinator(self) -> None:
        """It may live on where Ray is gone, and would keep the journal."""
        if self._pulse is not None and self._pulse.node == self._here:
            kill([self._pulse.pid])


def _another_head(error: BaseException | None) -> StudyLostError | None:
    """The loss, where ``error`` comes from a head that has taken the old one's place; None: it does not."""
    while error is not None:
        if isinstance(error, ray.exceptions.AuthenticationError) and WRONG_CLUSTER in str(error):
            return StudyLostError("another head of the Ray cluster has taken the old one's place", ray=True)
        error = error.__cause__ or error.__context__
    return None


def _lost_ray() -> StudyLostError | None:
    """What has died of the Ray that this process started; None: nothing."""
    dead = ray_private.dead_processes()
    return StudyLostError(f"Ray's {' and '.join(dead)} died", ray=True) if dead else None
