"""Members that several processes train together, data parallel, as the island that hosts them sees them.

The island is the first of the processes: its sessions are the ones whose metrics count and whose states are
copied and saved. The others, its peers, follow its orders one by one. Knows nothing of Ray.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from orchestrator.population.island.gang_peers import Answer, Order, Peers, Raised, in_words
from search_spaces import Config, SearchSpace
from workloads.capabilities import DistributedWorkload, PerturbableSession
from workloads.contract import Device, Fidelity, Metrics, Objective, Session, State, Workload
from workloads.devices import ProcessesLostError, lost_a_peer
from workloads.state import independent, take_state

PATIENCE = 10.0
"""Seconds that processes may stay in a call in which one of them has already failed."""

LOOK_SECONDS = 1.0
"""How often the first process looks for peers that have failed while it computes with them."""

Value = TypeVar("Value")


class PeerFailedError(Exception):
    """A peer raised in a member's training, and this process did not."""


class GangWorkload:
    """A workload whose sessions are trained by this process and its peers together.

    What a session raises in all processes, or in some while the others come through, is that session's
    failure. Where a process died, broke its device, or waits for one that failed, the gang is lost:
    ``ProcessesLostError``, which ``breaks_device`` counts as a broken device, so the island starts again.

    Args:
        workload: what is trained; a :class:`DistributedWorkload`, too.
        peers: the other processes.
        workers: how many processes there are.
        patience: seconds until processes count as lost that wait for one that failed.
    """

    def __init__(self, workload: Workload, peers: Peers, workers: int, patience: float = PATIENCE) -> None:
        self._workload, self._peers, self._workers = workload, peers, workers
        self._patience = patience
        self._numbers = itertools.count()
        self._over: list[int] = []

    @property
    def space(self) -> SearchSpace:
        return self._workload.space

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return self._workload.objectives

    @property
    def fidelity(self) -> Fidelity:
        return self._workload.fidelity

    def start(self, config: Config, seed: int, device: Device) -> GangSession:
        workload, number = self._workload, next(self._numbers)
        assert isinstance(workload, DistributedWorkload)  # as the study has checked
        try:
            own: Session = self.together(
                Order(number, "start", (config, seed)),
                lambda: workload.start_worker(config, seed, device, 0, self._workers),
            )
        except Exception:
            self._over.append(number)
            raise
        session = GangSession(self, number, own)
        # Peers drop theirs with the next order.
        weakref.finalize(session, self._over.append, number)
        return session

    def together(self, order: Order, own: Callable[[], Value]) -> Value:
        """Let all processes follow an order; returns what this one's part of it does.

        Raises:
            ProcessesLostError: the processes can train nothing together any more.
            PeerFailedError: a peer raised, and this process did not.
        """
        # A finalizer may add another at any moment.
        over = tuple(self._over)
        del self._over[: len(over)]
        answers = self._peers.post(replace(order, over=over))
        try:
            with self._watched(answers):
                value = own()
        except Exception as error:
            others = self._gather(answers, error)
            if lost_a_peer(str(error)):
                raise _stranded(others[0].text if others else in_words(error)) from error
            raise
        for raised in self._gather(answers, None):
            failure = PeerFailedError(f"{raised.text} (in another of its {self._workers} processes)")
            failure.add_note(raised.traceback)
            raise failure
        return value

    def _gather(self, answers: Sequence[Answer], failure: Exception | None) -> list[Raised]:
        """What peers raised.

        Args:
            failure: what this process raised; peers may then wait for it in vain.

        Raises:
            ProcessesLostError: one has died, broken its device, or waits in vain.
        """
        raised = self._replies(answers, None if failure is None else in_words(failure))
        for reply in raised:
            if reply.broken or lost_a_peer(reply.text):
                raise ProcessesLostError(f"{reply.text} (in another of {self._workers} processes)")
        return raised

    def _replies(self, answers: Sequence[Answer], failed: str | None) -> list[Raised]:
        """What peers raised; once one process has failed, the others get only some patience.

        Args:
            failed: what this process raised, in words; None: it came through.
        """
        raised: list[Raised] = []
        waiting = deque(answers)
        until = None if failed is None else time.monotonic() + self._patience
        while waiting:
            try:
                reply = waiting[0](LOOK_SECONDS if until is None else max(0.0, until - time.monotonic()))
            except TimeoutError:
                if until is not None:
                    raise _stranded(failed or raised[0].text) from None
                waiting.rotate()  # Another may have failed meanwhile, for which this one waits in vain.
                continue
            waiting.popleft()
            if reply is not None:
                raised.append(reply)
                until = until or time.monotonic() + self._patience
        return raised

    @contextmanager
    def _watched(self, answers: Sequence[Answer]) -> Iterator[None]:
        """End the peers where this process waits in vain for one that has failed or died."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_SECONDS):
                if not any(map(_has_failed, answers)):
                    continue
                if not over.wait(self._patience):
                    self._peers.end()
                    if not over.wait(self._patience):
                        self._peers.desert()
                return

        threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            over.set()


def _stranded(reason: str) -> ProcessesLostError:
    return ProcessesLostError(f"processes that train together waited for one that had failed: {reason}")


def _has_failed(answer: Answer) -> bool:
    try:
        return answer(0.0) is not None
    except TimeoutError:
        return False
    except ProcessesLostError:
        return True


class GangSession:
    """One member in training by several processes, see :class:`GangWorkload`."""

    def __init__(self, gang: GangWorkload, number: int, own: Session) -> None:
        self._gang, self._number, self._own = gang, number, own

    def advance(self, amount: int) -> Metrics:
        metrics: Metrics = self._together("advance", amount)
        return metrics

    def configure(self, config: Config) -> None:
        self._together("configure", config)

    @independent
    def state(self) -> State:
        """The first process's; the others have the same weights."""
        return take_state(self._own)

    def load(self, state: State) -> None:
        self._together("load", state)

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        if not isinstance(self._own, PerturbableSession):
            raise TypeError("the workload's session cannot perturb its weights")
        self._together("perturb", keep, noise, seed)

    def _together(self, call: str, *arguments: Any) -> Any:
        order = Order(self._number, call, arguments)
        return self._gang.together(order, lambda: getattr(self._own, call)(*arguments))
