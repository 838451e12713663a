"""A function that takes turns with its caller: it runs in a thread while the caller waits for it."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

GRACE = 10.0
"""Seconds that a stopped function has for its ``finally`` blocks before its thread is left behind."""


class LoopStopped(BaseException):
    """Training is to end here. Raised inside ``report``; a loop lets it pass, so that ``finally`` blocks run.

    Not an ``Exception``, which a training loop may catch and go on from.
    """


class TurnTaker:
    """Runs ``function`` until it pauses, goes on with it later, or stops it where it is.

    A thread and no greenlet, so that what torch keeps for each thread (``no_grad``, autocast) is not seen by
    others while the function is paused inside such a block.

    Args:
        function: calls :meth:`pause`, from whichever of its threads, to hand the turn back.
        name: of the thread.
    """

    def __init__(self, function: Callable[[], None], name: str) -> None:
        self._function = function
        self._orders: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        # A daemon, since one that ignores its stop must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopping = self._over = False

    @property
    def started(self) -> bool:
        """Whether the function has been called."""
        return self._thread.ident is not None

    def resume(self) -> bool:
        """Let the function go on; True once it pauses, False once it has returned.

        Raises:
            BaseException: what the function raised.
            RuntimeError: it has ended before.
        """
        self._check_over()
        if not self.started:
            self._thread.start()
        else:
            self._orders.put(None)
        kind, value = self._answer()
        self._over = kind != "paused"
        if kind == "raised":
            raise value
        return kind == "paused"

    def within(self, action: Callable[[], Any]) -> Any:
        """What ``action`` returns, or raises, in the thread of the paused function.

        Raises:
            RuntimeError: the function has ended.
        """
        self._check_over()
        self._orders.put(action)
        kind, value = self._answer()
        if kind == "raised":
            raise value
        return value

    def stop(self) -> None:
        """End the function, if it has not ended: :class:`LoopStopped` is raised where it is paused.

        Returns once it has ended, or after :data:`GRACE` seconds.
        """
        self._stopping = True
        if not self._thread.is_alive() or self._thread is threading.current_thread():
            return
        self._orders.put(None)
        self._thread.join(GRACE)
        if self._thread.is_alive():
            self._interrupt()

    def pause(self) -> None:
        """Called by the function: wait until it is to go on.

        Raises:
            LoopStopped: it is to end.
        """
        self.check()
        self._answers.put(("paused", None))
        while (action := self._orders.get()) is not None:
            self._answers.put(_outcome(action))
        self.check()

    def check(self) -> None:
        """Called by the function.

        Raises:
            LoopStopped: it is to end.
        """
        if self._stopping:
            raise LoopStopped("training of this configuration ends here")

    def _check_over(self) -> None:
        """Nobody would answer once the function has ended."""
        if self._over or self._stopping:
            raise RuntimeError(
                f"{self._thread.name}: expected a function that is paused, got one that has ended"
            )

    def _run(self) -> None:
        kind, value = _outcome(self._function)
        self._answers.put(("ended", None) if kind == "returned" else (kind, value))

    def _answer(self) -> tuple[str, Any]:
        try:
            return self._answers.get()
        except BaseException:
            # Ctrl-C or a time limit interrupts the caller; nobody will wait for the function again.
            self._stopping = True
            self._interrupt()
            raise

    def _interrupt(self) -> None:
        """Raise :class:`LoopStopped` in the thread as soon as it executes Python again."""
        # Its identifier may be another thread's once it has ended.
        if self._thread.is_alive() and self._thread.ident is not None:
            exception = ctypes.py_object(LoopStopped)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident), exception)


def _outcome(action: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "returned", action()
    except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
        return "raised", error
