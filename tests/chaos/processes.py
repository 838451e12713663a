"""The processes of a study that runs under chaos, by what they do; Linux alone."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from orchestrator.engine.processes import kill, marked

MARK = "ORCHESTRATOR_CHAOS"
"""The environment variable that all processes of one study under chaos have from their driver."""

END_SECONDS = 40.0
"""How long a process may take to end; one that is told to may save before."""

TARGETS = ("driver", "coordinator", "worker", "notice", "raylet", "gcs")
"""Roles; a notice is for a worker, which is told to end (SIGTERM)."""

_WORKERS = ("Island", "Worker", "Gang", "_Inner.train")


def family(mark: str) -> dict[int, str]:
    """Living processes with this mark, each with its command line; those that have just ended have none."""
    found = {}
    for pid in marked(mark, MARK):
        with suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            found[pid] = line.decode(errors="replace").strip()
    return {pid: command for pid, command in found.items() if command}


def role(command: str) -> str:
    """What a process with this command line does in a study; empty: something else."""
    program = command.partition(" ")[0]
    if command.startswith("ray::"):
        if "Coordinator" in command:
            return "coordinator"
        return "worker" if any(name in command for name in _WORKERS) else ""
    if program.endswith("/gcs_server"):
        return "gcs"
    if program.endswith("/raylet"):
        return "raylet"
    return "driver" if " -m orchestrator " in f"{command} " else ""


def end(mark: str, pid: int, target: str) -> None:
    """End a process of the family, and wait until it is gone, which also a killed one is not at once."""
    if target == "notice":
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)
    else:
        kill([pid])
    deadline = time.monotonic() + END_SECONDS
    while pid in family(mark) and time.monotonic() < deadline:
        time.sleep(0.01)


def alive(mark: str, target: str) -> list[int]:
    """The processes of one role."""
    target = "worker" if target == "notice" else target
    return sorted(pid for pid, command in family(mark).items() if role(command) == target)
