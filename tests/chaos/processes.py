"""The processes of a study that runs under chaos, by what they do; Linux alone."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

MARK = "ORCHESTRATOR_CHAOS"
"""The environment variable that all processes of one study under chaos have from their driver."""

TARGETS = ("driver", "coordinator", "worker", "raylet", "gcs")
_WORKERS = ("Island", "Worker", "Gang", "_Inner.train")


def family(mark: str) -> dict[int, str]:
    """Living processes with this mark, each with its command line."""
    wanted, found = f"{MARK}={mark}".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            if (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z":
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = line.decode(errors="replace").strip()
    return found


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


def alive(mark: str, target: str) -> list[int]:
    """The processes of one role."""
    return sorted(pid for pid, command in family(mark).items() if role(command) == target)


def kill(pid: int) -> None:
    """End a process at once; one that has gone already does no harm."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
