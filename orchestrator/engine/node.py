"""What is done once on each node of a cluster, by whichever process comes first."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.run.worker_output import Workplace


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
    mark = Path(tempfile.gettempdir()) / f"orchestrator-{workplace.start}.prepared"
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    with os.fdopen(os.open(mark, flags, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not file.read():
            work()
            file.write("done\n")
