"""Processes of this machine, as Linux shows them under /proc; elsewhere nothing is found."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = "ORCHESTRATOR_RAY"
"""The environment variable by which everything is known that a study's own Ray has started."""

SAMPLE_SECONDS = 2.0
"""How long a silent process is watched before it counts as hung."""

PARENT_SECONDS = 1.0
"""Time between two looks whether the process that started this one is there."""

LOOKS = 10
"""How often in this time it is looked whether it waits for a CPU."""

BUSY_SHARE = 0.1
"""CPUs that a process uses while it computes; Ray's own threads in it use far less."""


def marked(value: str, name: str = MARK) -> list[int]:
    """Other processes that were started with this value of an environment variable, and all they started."""
    wanted = f"{name}={value}".encode()
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
    computes. Such a process uses the CPU; one that is stopped, or waits for what never comes, does not. On a
    machine where many processes start at a time, one that would compute waits for its turn: it is not hung.
    """
    before, ready = _cpu_seconds(pid), 0
    for _ in range(LOOKS):
        time.sleep(seconds / LOOKS)
        ready += _is_ready(pid)
    after = _cpu_seconds(pid)
    computes = before is not None and after is not None and after - before > BUSY_SHARE * seconds
    if computes or ready > LOOKS // 2:
        return False
    kill([pid])
    return True


def end_with_parent() -> None:
    """From now on, end this process and all that it started once the process that started it is gone.

    Ray's workers notice that their raylet died, but first finish what they are doing, which may take hours.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        kill(descendants(os.getpid()))
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def descendants(pid: int) -> list[int]:
    """All processes that a process has started, and those that they have started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if (fields := _stat(int(folder.name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    waiting = children.get(pid, [])
    while waiting:
        found += waiting
        waiting = [child for one in waiting for child in children.get(one, [])]
    return found


def birth_of(pid: int) -> str | None:
    """What tells a process from another one that is given its number later; None: there is none."""
    fields = _stat(pid)
    return None if fields is None else fields[19]


def _cpu_seconds(pid: int) -> float | None:
    """CPU time that a process has used; None where that is not known."""
    fields = _stat(pid)
    return None if fields is None else sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _is_ready(pid: int) -> bool:
    """Whether a thread of a process computes or waits for a CPU."""
    threads = (_stat(pid, int(folder.name)) for folder in Path(f"/proc/{pid}/task").glob("[0-9]*"))
    return any(fields is not None and fields[0] == "R" for fields in threads)


def _stat(pid: int, thread: int | None = None) -> list[str] | None:
    """The fields of a process's ``stat`` behind its name, which may hold anything; None: there is none.

    Args:
        thread: of the process, for its own fields.
    """
    folder = f"/proc/{pid}" if thread is None else f"/proc/{pid}/task/{thread}"
    try:
        text = Path(folder, "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
