"""Members that have been saved to snapshots that are not valid yet, as the journal of a study tells of them.

In an asynchronous study members are far apart, and a snapshot is not valid before the last one has come so
far. Those ahead need not train again what has been saved of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.population.snapshots.manifests import MANIFEST, STOPPED, member_file
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event
from workloads.checksums import label_checksum
from workloads.state_files import check_state_file

_Saved = tuple[str | None, bool]
"""The checksum of a file's label, and whether the member had no state."""


def saved_event(
    run: RunDirectory, folder: Path, members: Sequence[int], empty: Collection[int]
) -> dict[str, Any]:
    """The journal's line about members that have been written to a snapshot's folder.

    Args:
        members: all with as many trained intervals as the folder's name says.
        empty: those of them that had no state.
    """
    return {
        "event": "saved",
        "path": str(folder.relative_to(run.path)),
        "members": list(members),
        "empty": sorted(empty),
        "checksums": [label_checksum(member_file(folder, member)) for member in members],
    }


def intact_saves(run: RunDirectory, past: Iterable[Event]) -> tuple[dict[Path, dict[int, bool]], list[str]]:
    """Who has been saved beyond the newest snapshot, and what is wrong with files that cannot be trusted.

    Returns:
        By folder and member, whether the member had no state; and lines for people.
    """
    found: dict[Path, dict[int, bool]] = {}
    lines = []
    for path, saved in _told(past).items():
        if (run.path / path / MANIFEST).exists():
            continue  # Valid, though the study was killed before it could say so.
        for member, (checksum, empty) in saved.items():
            file = member_file(run.path / path, member)
            try:
                check_state_file(file, checksum)
            except (OSError, ValueError) as error:
                reason = error.strerror or error if isinstance(error, OSError) else error
                why = str(reason).removeprefix(f"{file}")
                lines.append(f"{path}/{file.name} cannot be trusted ({why.strip(': ')})")
            else:
                found.setdefault(run.path / path, {})[member] = empty
    return found, lines


def _told(past: Iterable[Event]) -> dict[str, dict[int, _Saved]]:
    """By the path of a snapshot that is not valid, and by member, what has been saved and still counts."""
    saves: dict[str, dict[int, _Saved]] = {}
    for event in past:
        match event["event"]:
            case "saved":
                empty = frozenset(event["empty"])
                pairs = zip(event["members"], event["checksums"], strict=True)
                saves.setdefault(event["path"], {}).update(
                    {member: (checksum, member in empty) for member, checksum in pairs}
                )
            case "snapshot":
                # Those before it are gone, and a stop's has everybody's newest.
                name = Path(event["path"]).name
                until = math.inf if name.startswith(STOPPED) else int(name)
                saves = {path: saved for path, saved in saves.items() if _generation(path) > until}
            case "resume":
                kept = event["generations"]
                saves = {
                    path: {member: one for member, one in saved.items() if kept[member] >= _generation(path)}
                    for path, saved in saves.items()
                }
    return saves


def _generation(path: str) -> int:
    return int(Path(path).name)
