"""Whether a disk has room for a study."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.run.faults import room_for
from search_spaces.errors import ConfigurationError

PROBE_BYTES = 1 << 16
"""What a disk must take before a study starts; a single file of a member may well be larger."""


def require_room(folder: Path) -> None:
    """Refuse a folder, which is made if it is missing, whose disk takes nothing more.

    Raises:
        ConfigurationError: it is full, a quota is used up, or it cannot be written.
    """
    probe = folder / f".room.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        found = f"{error.strerror or error}{room_for(folder.absolute() / probe.name)}"
        expected = f"{folder} to take what the study writes"
        raise ConfigurationError("run.dir", expected, found, "make room, then resume the study") from error
