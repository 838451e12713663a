"""Processes of this machine, as Linux shows them under /proc; elsewhere nothing is found."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = "ORCHESTRATOR_RAY"
"""The environment variable by which everything is known that a study's own Ray has started."""

SAMPLE_SECONDS = 2.0
"""How long a silent process is watched before it counts as hung."""

BUSY_SHARE = 0.1
"""CPUs that a process uses while it computes; Ray's own threads in it use far less."""


def marked(value: str) -> list[int]:
    """Other processes that were started with this value of :data:`MARK`, and all that they started."""
    wanted = f"{MARK}={value}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def kill(pids: Iterable[int]) -> None:
    """End processes at once; those that have ended already, or are somebody else's, do no harm."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def kill_if_hung(pid: int, seconds: float = SAMPLE_SECONDS) -> bool:
    """End a process that gives no sign of life, unless it computes; returns whether it was ended.

    A native library that does not let go of the interpreter keeps heartbeats from being sent while it
    computes. Such a process uses the CPU; one that is stopped, or waits for what never comes, does not.
    """
    before = _cpu_seconds(pid)
    time.sleep(seconds)
    after = _cpu_seconds(pid)
    if before is not None and after is not None and after - before > BUSY_SHARE * seconds:
        return False
    kill([pid])
    return True


def _cpu_seconds(pid: int) -> float | None:
    """CPU time that a process has used; None where that is not known."""
    try:
        # The name, in parentheses, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        used = fields.split()[11:13]
        return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None
