"""The other processes of a gang: what they are told to do, and how each of them does its part.

See :mod:`orchestrator.population.island.gang` for the first process.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.text import first_line
from workloads.capabilities import DistributedWorkload
from workloads.contract import Device, Session
from workloads.devices import breaks_device
from workloads.outcomes import RAISED


@dataclass(frozen=True)
class Order:
    """What all processes of a gang do together.

    Args:
        session: the number of the session that does it.
        call: ``start``, or a method of the session.
        arguments: of the call; of ``start`` the configuration and the seed.
        over: sessions that are trained no more.
    """

    session: int
    call: str
    arguments: tuple[Any, ...]
    over: tuple[int, ...] = ()


@dataclass(frozen=True)
class Raised:
    """What a peer raised instead of following an order.

    Args:
        text: in one line.
        traceback: where.
        broken: whether its device can compute nothing more.
    """

    text: str
    traceback: str
    broken: bool


Answer = Callable[[float | None], Raised | None]
"""A peer's answer to an order, awaited for so many seconds, or as long as it takes.

Raises ``TimeoutError`` where it has not come by then, and ``ProcessesLostError`` where the peer has died.
"""


class Peers(Protocol):
    """The other processes of a gang."""

    def post(self, order: Order) -> Sequence[Answer]:
        """Let them follow an order; returns at once."""
        ...

    def end(self) -> None:
        """End them, whatever they do. Gloo then raises in a process that waits for them."""
        ...

    def desert(self) -> None:
        """End this process, which nothing else releases: NCCL waits on for peers that are gone."""
        ...


class Part:
    """A peer's part of the members: one session for each of the first process's.

    Args:
        workload: what is trained.
        device: where this process computes.
        rank: its number, from 1.
        workers: how many processes there are.
    """

    def __init__(self, workload: DistributedWorkload, device: Device, rank: int, workers: int) -> None:
        self._workload, self._device, self._place = workload, device, (rank, workers)
        self._sessions: dict[int, Session] = {}

    def follow(self, order: Order) -> Raised | None:
        """Do this process's part of an order."""
        for number in order.over:
            self._sessions.pop(number, None)
        try:
            if order.call == "start":
                config, seed = order.arguments
                started = self._workload.start_worker(config, seed, self._device, *self._place)
                self._sessions[order.session] = started
            else:
                getattr(self._sessions[order.session], order.call)(*order.arguments)
        except RAISED as error:
            return Raised(in_words(error), "".join(traceback.format_exception(error)), breaks_device(error))
        return None


def in_words(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {first_line(str(error))}"
