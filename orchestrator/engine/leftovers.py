"""What a study that was killed has left on this machine: the folder of its Ray, and processes."""

from __future__ import annotations

import json
import os
import shutil
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.engine.processes import birth_of, kill, marked

PREFIX = "ray-"
"""How the names of folders begin that studies make for their Rays."""

OWNER = "orchestrator.json"


@dataclass(frozen=True)
class Leftover:
    """What was cleaned up.

    Args:
        folder: of a Ray whose study has ended without its end.
        processes: how many of its processes were still there.
    """

    folder: Path
    processes: int

    def __str__(self) -> str:
        count = {0: "", 1: " and a process"}.get(self.processes, f" and {self.processes} processes")
        return f"cleaned up what a study that was killed had left: {self.folder}{count}"


def own(folder: Path) -> None:
    """Write down that this process has made a Ray's folder, as far as that can be told on this system."""
    if (owner := _identity(os.getpid())) is not None:
        (folder / OWNER).write_text(json.dumps(owner), encoding="utf-8")


def clean_up(parent: Path) -> list[Leftover]:
    """Remove the folders in ``parent`` whose owners are dead, and end what their Rays have left running."""
    found = []
    for folder in parent.glob(f"{PREFIX}*"):
        if _is_left(folder):
            processes = marked(str(folder))
            kill(processes)
            shutil.rmtree(folder, ignore_errors=True)
            found.append(Leftover(folder, len(processes)))
    return found


def _is_left(folder: Path) -> bool:
    """Whether a folder is ours, and its owner no longer lives; where that cannot be told, it is not."""
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return False
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        here = _identity(owner["pid"])
        machine = _machine()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(owner.get("machine") == machine and here != owner)


def _identity(pid: int) -> dict[str, Any] | None:
    birth = birth_of(pid)
    return None if birth is None else {"pid": pid, "birth": birth, "machine": _machine()}


def _machine() -> str:
    """The machine, and the container: elsewhere the same number is another process."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()} {space}"
