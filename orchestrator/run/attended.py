"""Working in a child of this process, which begins again where a library ends the child.

Ray's C++ ends a process that is connected to a cluster whose head is another one by now, or whose node has
died, at once: no Python runs any more that could begin again.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from orchestrator.run.interrupt import INTERRUPTED

LOST = "Ray ended the program, as it does where its node or the head of the cluster is gone"
_IN_ORDER = b"."
_HANDED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

Lost = Callable[[str], None]


def attendable() -> bool:
    """Whether this process can be divided: a child has only the thread that makes it."""
    return hasattr(os, "fork") and threading.current_thread() is threading.main_thread()


@contextmanager
def attended(lost: Lost) -> Iterator[Lost]:
    """Do what is inside, and all that comes after, in a child; this process does not return from here.

    It hands on the signals that are for the program, and ends as the child does. The child is in a process
    group of its own, so that Ctrl-C reaches it once.

    Args:
        lost: told in this process, in one line, where the child has ended before what is inside has.

    Yields:
        What the child calls to be lost, with the reason.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    # One that comes while the process is being divided waits until both halves are ready for it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDED_ON)
    if child := os.fork():
        os.close(writer)
        _attend(child, reader, lost, before)
    os.close(reader)
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def give_up(reason: str) -> None:
        os.write(writer, reason.encode())
        os._exit(1)

    try:
        yield give_up
    finally:
        os.write(writer, _IN_ORDER)
        os.close(writer)


def _attend(child: int, reader: int, lost: Lost, mask: set[int | signal.Signals]) -> NoReturn:
    told = list[int]()

    def hand_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
        told.append(number)
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in _HANDED_ON:
        # The child decides about all but what ``nohup`` keeps away from both.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _, ended = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(ended)
    os.set_blocking(reader, False)
    try:
        said = os.read(reader, 10_000)
    except BlockingIOError:  # what the child has started holds the other end
        said = b""
    if said.endswith(_IN_ORDER) or status == 0:
        os._exit(status if status >= 0 else 128 - status)
    if told:
        os._exit(INTERRUPTED)
    lost(said.decode() or LOST)
    os._exit(1)
