"""Snapshots of a population: every member's file first, then one manifest that makes the snapshot valid."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Snapshot:
    """A valid snapshot.

    Args:
        path: its folder.
        generations: how many intervals each member had trained, by member number.
    """

    path: Path
    generations: tuple[int, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of each member, by member number."""
        return tuple(member_file(self.path, member) for member in range(len(self.generations)))


def member_file(folder: Path, member: int) -> Path:
    """Where a snapshot keeps a member."""
    return folder / f"member-{member:03d}.pt"


class SnapshotShelf:
    """Follows which members have been written to which snapshot, and makes the complete ones valid.

    Args:
        root: the folder of all snapshots.
        size: members in the population.
        generations: intervals in each member's life.
        keep: how many valid snapshots are kept.
    """

    def __init__(self, root: Path, size: int, generations: int, keep: int) -> None:
        self._root, self._size, self._generations, self._keep = root, size, generations, keep
        self._written: dict[Path, dict[int, int]] = {}

    def folder(self, generation: int) -> Path:
        """Where members are saved that have trained so many intervals."""
        return self._root / f"{generation:06d}"

    def add(self, folder: Path, generations: Mapping[int, int]) -> None:
        """Members have been written to ``folder``, each with its number of trained intervals."""
        self._written.setdefault(folder, {}).update(generations)

    def forget(self, members: Iterable[int]) -> None:
        """Members went back in time; what they wrote to snapshots that are not valid yet no longer counts."""
        for written in self._written.values():
            for member in members:
                written.pop(member, None)

    def complete(self) -> list[Path]:
        """Folders to which every member has been written and that are not valid yet.

        Members whose life was over before a study without barriers was stopped count with their last
        snapshot.
        """
        ended = self._written.get(self.folder(self._generations), {})
        return [folder for folder, written in self._written.items() if len(written | ended) == self._size]

    def commit(self, folder: Path) -> Snapshot:
        """Make a complete snapshot valid, and delete those that are too old."""
        written, last = self._written.pop(folder), self.folder(self._generations)
        for member, generation in self._written.get(last, {}).items():
            if member not in written:
                shutil.copyfile(member_file(last, member), member_file(folder, member))
                written[member] = generation
        snapshot = _write_manifest(folder, written)
        for old in valid_snapshots(self._root)[self._keep :]:
            # Without its manifest it is no longer a snapshot, wherever the deletion is interrupted.
            (old.path / MANIFEST).unlink()
            shutil.rmtree(old.path)
        return snapshot

    def newest(self) -> Snapshot | None:
        """The valid snapshot with the most training."""
        return next(iter(valid_snapshots(self._root)), None)


def valid_snapshots(root: Path) -> list[Snapshot]:
    """All valid snapshots below ``root``, the one with the most training first.

    Valid: the manifest can be read and every file that it names is there with its size.
    """
    found = [snapshot for folder in root.glob("*") if (snapshot := _read(folder)) is not None]
    return sorted(found, key=lambda snapshot: sum(snapshot.generations), reverse=True)


def _write_manifest(folder: Path, generations: Mapping[int, int]) -> Snapshot:
    counts = [generations[member] for member in sorted(generations)]
    sizes = [member_file(folder, member).stat().st_size for member in range(len(counts))]
    draft = folder / f"{MANIFEST}.part"
    with draft.open("w") as file:
        json.dump({"generations": counts, "bytes": sizes}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(folder / MANIFEST)
    return Snapshot(folder, tuple(counts))


def _read(folder: Path) -> Snapshot | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        for member, size in enumerate(manifest["bytes"]):
            if member_file(folder, member).stat().st_size != size:
                return None
        return Snapshot(folder, tuple(manifest["generations"]))
    except (OSError, ValueError, KeyError):
        return None
