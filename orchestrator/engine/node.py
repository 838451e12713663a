"""What is done once on each node of a cluster, by whichever process comes first."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.run.worker_output import Workplace

_NAME = "orchestrator-{start}.prepared"
_KEPT_SECONDS = 86_400
"""After that long a mark is removed: by then all workers of its start have long begun."""


def once_on_node(study: Mapping[str, Any], workplace: Workplace, work: Callable[[], None]) -> None:
    """Let the first process of a start of a study on this node do ``work`` while the others wait for it.

    Where ``work`` raises, the next process tries it again. Nothing is done on a local Ray, whose one node is
    the driver's.

    Args:
        study: the resolved configuration.
        workplace: names the start.
    """
    if study["cluster"]["address"] is None:
        return
    folder = Path(tempfile.gettempdir())
    _remove_old_marks(folder)
    mark = folder / _NAME.format(start=workplace.start)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    with os.fdopen(os.open(mark, flags, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not file.read():
            work()
            file.write("done\n")


def _remove_old_marks(folder: Path) -> None:
    """Remove what earlier studies have left. Where one still goes on, a new worker only prepares again."""
    for mark in folder.glob(_NAME.format(start="*")):
        with suppress(OSError):  # another user's, or another process has removed it
            if time.time() - mark.stat().st_mtime > _KEPT_SECONDS:
                mark.unlink()
