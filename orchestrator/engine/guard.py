"""Notices where Ray is gone and still keeps the process that was connected to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from orchestrator.engine import ray_private

LOOK_SECONDS = 1.0
"""Time between two looks."""

HEAD_SECONDS = 10.0
"""How long a cluster's head may take to answer, and the time between two questions."""

SILENT_SECONDS = 40.0
"""How long it may be since it has answered; Ray ends processes whose head was silent for a minute."""

STUCK_SECONDS = 8.0
"""How long a process may take to leave a Ray that has died."""


class Guard:
    """Looks after a process that is connected to Ray while it is used as a context, in threads.

    Calls of Ray's may wait for a head that is gone where no signal reaches them, and after a minute Ray ends
    the whole process.

    Args:
        stuck: told once what is gone, in one line, where the context has not been left in time.
    """

    def __init__(self, stuck: Callable[[str], None]) -> None:
        self._stuck = stuck
        self._gone_since: float | None = None
        self._left = threading.Event()

    def __enter__(self) -> Self:
        self._heard = time.monotonic()
        for work in (self._watch, self._ask_head):
            threading.Thread(target=work, name="guard", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()

    def rest(self) -> None:
        """From here on Ray's processes end because they are told to; what died before still counts."""
        if self._gone_since is None:
            self._left.set()

    def _watch(self) -> None:
        while not self._left.wait(LOOK_SECONDS):
            now, dead = time.monotonic(), ray_private.dead_processes()
            if dead:
                self._gone_since = now if self._gone_since is None else self._gone_since
                reason = f"Ray's {' and '.join(dead)} died"
            if self._gone_since is not None and now - self._gone_since > STUCK_SECONDS:
                return self._stuck(reason)
            if now - self._heard > SILENT_SECONDS:
                return self._stuck("the head of the Ray cluster does not answer")

    def _ask_head(self) -> None:
        while not self._left.wait(HEAD_SECONDS):
            if ray_private.head_answers(HEAD_SECONDS):
                self._heard = time.monotonic()
