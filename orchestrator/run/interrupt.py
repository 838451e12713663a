"""Ctrl-C and termination: the first asks for a clean end, the second ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit status of a study that was stopped by a signal, as shells have it."""


@contextmanager
def on_interrupt(action: Callable[[], None], interrupted: threading.Event) -> Iterator[None]:
    """While inside, the first SIGINT or SIGTERM runs ``action`` in a thread of its own and sets the event.

    In a thread, because a signal's handler may interrupt the very library that ``action`` calls. The second
    signal is handled as before. To be used in the main thread.
    """
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
        restore()
        interrupted.set()
        threading.Thread(target=action, name="interrupt", daemon=True).start()

    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """While inside, SIGTERM raises ``KeyboardInterrupt``, as SIGINT does, so that nothing is left behind.

    A process that ignores it goes on to do so, and nothing changes outside the main thread.
    """
    main, before = threading.current_thread() is threading.main_thread(), signal.getsignal(signal.SIGTERM)
    if not main or before == signal.SIG_IGN:
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
