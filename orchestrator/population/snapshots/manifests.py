"""What makes a folder of members' files a snapshot: its manifest, which says what belongs to it."""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.run.journal_lines import Position
from workloads.checksums import label_checksum
from workloads.state_files import sync_folder

MANIFEST = "manifest.json"
STOPPED = "stopped-"
_FOLDER = re.compile(rf"({STOPPED})?[0-9]{{6,}}")
_BEST = re.compile(r"best-([0-9]{3,})-([0-9]{6,})\.pt")
_FIRST_KEYS = frozenset({"generations", "bytes", "best", "archive", "empty"})
"""What a manifest of earlier versions says at most; those have no checksum."""

Publication = tuple[int, int]
"""A member, and how many intervals it had trained."""


class DamagedSnapshotError(ValueError):
    """A snapshot is not as it was written; the message says what is wrong with it."""


@dataclass(frozen=True)
class Snapshot:
    """A valid snapshot.

    Args:
        path: its folder.
        generations: how many intervals each member had trained, by member number.
        archive: the best publications up to then whose weights are known, the very best first; empty in
            snapshots of earlier versions.
        empty: members of which there was no state.
        position: the line of the journal up to which it builds upon; None in snapshots of earlier versions.
        checksums: of its files' labels, by name; None: the file has no label.
    """

    path: Path
    generations: tuple[int, ...]
    archive: tuple[Publication, ...] = ()
    empty: tuple[int, ...] = ()
    position: Position | None = None
    checksums: Mapping[str, str | None] | None = None

    @property
    def best(self) -> Publication | None:
        """The best publication up to then whose weights are known; None in snapshots of earlier versions."""
        return self.archive[0] if self.archive else None

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of each member, by member number."""
        return tuple(member_file(self.path, member) for member in range(len(self.generations)))


def member_file(folder: Path, member: int) -> Path:
    """Where a snapshot keeps a member."""
    return folder / f"member-{member:03d}.pt"


def best_file(folder: Path, publication: Publication) -> Path:
    """Where a snapshot keeps the weights of a publication that is among the best so far."""
    return folder / "best-{:03d}-{:06d}.pt".format(*publication)


def best_files(places: Iterable[Path]) -> list[tuple[Publication, Path]]:
    """Publications that are kept in these folders of snapshots, and their files."""
    found = ((_BEST.fullmatch(file.name), file) for folder in places for file in folder.iterdir())
    return sorted(((int(name[1]), int(name[2])), file) for name, file in found if name)


def folders(root: Path) -> list[Path]:
    """The folders of snapshots, valid or not; whatever else lies in ``root`` is not ours."""
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if _FOLDER.fullmatch(path.name) and path.is_dir())


def write_manifest(
    folder: Path,
    generations: Mapping[int, int],
    archive: Sequence[Publication],
    empty: Sequence[int],
    position: Position,
) -> Snapshot:
    """Make a folder a snapshot; all of its files have been written and synced."""
    counts = [generations[member] for member in sorted(generations)]
    files = [member_file(folder, member) for member in range(len(counts))]
    models = [best_file(folder, publication) for publication in archive]
    checksums = {file.name: label_checksum(file) for file in (*files, *models)}
    content = {
        "generations": counts,
        "bytes": [file.stat().st_size for file in files],
        "best": archive[0] if archive else None,  # for earlier versions, which read no more
        "archive": archive,
        "empty": empty,
        "checksums": checksums,
        "journal": asdict(position),
    }
    # First the names of the members' files, which have been synced themselves, then that of the manifest.
    sync_folder(folder)
    draft = folder / f"{MANIFEST}.part"
    with draft.open("w") as out:
        json.dump({**content, "checksum": _checksum(content)}, out)
        out.flush()
        os.fsync(out.fileno())
    draft.rename(folder / MANIFEST)
    sync_folder(folder)
    return Snapshot(folder, tuple(counts), tuple(archive), tuple(empty), position, checksums)


def read_manifest(folder: Path) -> Snapshot:
    """The snapshot in a folder; its files are there with their sizes, but have not been read.

    Raises:
        DamagedSnapshotError: it is none.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise DamagedSnapshotError(f"{MANIFEST}: {error.strerror or error}") from error
    try:
        snapshot, sizes = _snapshot(folder, json.loads(text))
    except DamagedSnapshotError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise DamagedSnapshotError(f"{MANIFEST} is damaged") from error
    for file, size in zip(snapshot.files, sizes, strict=True):
        try:
            found = file.stat().st_size
        except OSError as error:
            raise DamagedSnapshotError(f"{file.name}: {error.strerror or error}") from error
        if found != size:
            raise DamagedSnapshotError(f"{file.name} has {found} bytes instead of {size}")
    return snapshot


def _snapshot(folder: Path, manifest: dict[str, Any]) -> tuple[Snapshot, list[int]]:
    """What a manifest says, and its members' sizes in bytes."""
    if manifest.keys() <= _FIRST_KEYS:
        best = manifest.get("best")
        archive = manifest.get("archive", [] if best is None else [best])
        position, checksums = None, None
    else:
        content = {key: value for key, value in manifest.items() if key != "checksum"}
        if manifest.get("checksum") != _checksum(content):
            raise DamagedSnapshotError(f"{MANIFEST} fails its checksum")
        archive, position = manifest["archive"], Position(**manifest["journal"])
        checksums = manifest["checksums"]
    generations, sizes = manifest["generations"], manifest["bytes"]
    numbers = [*generations, *sizes, *(number for one in archive for number in one)]
    if len(generations) != len(sizes) or not all(type(one) is int and one >= 0 for one in numbers):
        raise DamagedSnapshotError(f"{MANIFEST} is damaged")
    known = [(one[0], one[1]) for one in archive if best_file(folder, (one[0], one[1])).exists()]
    empty = tuple(manifest.get("empty", ()))
    return Snapshot(folder, tuple(generations), tuple(known), empty, position, checksums), sizes


def _checksum(content: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(content).encode()):08x}"
