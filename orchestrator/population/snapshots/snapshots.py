"""Snapshots of a population: every member's file first, then one manifest that makes the snapshot valid."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.population.snapshots.manifests import (
    MANIFEST,
    STOPPED,
    DamagedSnapshotError,
    Publication,
    Snapshot,
    best_file,
    best_files,
    folders,
    member_file,
    read_manifest,
    write_manifest,
)
from orchestrator.run.journal_lines import Position
from workloads.state_files import remove_state, share_state

Choice = Callable[[Sequence[Publication], Mapping[int, int]], Sequence[Publication]]
"""Which publications a snapshot keeps, of those at hand, best first, given its members' generations."""


NOWHERE = Position()
"""Before a journal's first line."""


def the_first(publications: Sequence[Publication], _: Mapping[int, int]) -> Sequence[Publication]:
    """The best alone."""
    return publications[:1]


class SnapshotStore:
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
        self._over: dict[int, Path] = {}
        self._empty: set[Path] = set()

    def folder(self, generation: int) -> Path:
        """Where members are saved that have trained so many intervals."""
        return self._root / f"{generation:06d}"

    def stop_folder(self, trained: int) -> Path:
        """Where members are saved when the study is stopped after so many member-intervals."""
        return self._root / f"{STOPPED}{trained:06d}"

    def add(self, folder: Path, generations: Mapping[int, int], empty: Collection[int] = ()) -> None:
        """Members have been written to ``folder``, each with its number of trained intervals.

        The files of ``empty`` members hold no weights.
        """
        self._written.setdefault(folder, {}).update(generations)
        self._empty -= {member_file(folder, member) for member in generations}
        self._empty |= {member_file(folder, member) for member in empty}

    def latest(self, member: int, snapshot: Snapshot | None) -> int:
        """How many intervals a member had trained when it was last saved, be the snapshot valid or not.

        Args:
            snapshot: the newest valid one; None: there is none.
        """
        # A stop's folder is written to again, by members at another generation.
        found = [
            written[member]
            for folder, written in self._written.items()
            if member in written and not folder.name.startswith(STOPPED)
        ]
        return max([*found, snapshot.generations[member] if snapshot else 0])

    def file(self, member: int, generation: int, snapshot: Snapshot | None) -> Path | None:
        """Where a member is that goes on after so many intervals, as :meth:`latest` knows; None: it is born.

        Args:
            snapshot: the newest valid one; None: there is none.
        """
        if member in self._written.get(self.folder(generation), {}):
            return member_file(self.folder(generation), member)
        return member_file(snapshot.path, member) if generation and snapshot is not None else None

    def go_back(self, kept: Mapping[int, int], snapshot: Snapshot | None) -> None:
        """Members went back to what was saved of them, or to their birth.

        What they wrote later to snapshots that are not valid yet no longer counts. Those whose life was over
        in the newest snapshot will write nothing more; later snapshots take them from this one.

        Args:
            kept: by member, the intervals after which it goes on.
            snapshot: the newest valid one; None: there is none.
        """
        for member, generation in kept.items():
            for folder, written in self._written.items():
                if written.get(member, 0) > generation or folder.name.startswith(STOPPED):
                    written.pop(member, None)
            self._over.pop(member, None)
            if snapshot is not None and snapshot.generations[member] == self._generations:
                self._over[member] = file = member_file(snapshot.path, member)
                self._empty |= {file} if member in snapshot.empty else set()
        valid = {each.path for each in valid_snapshots(self._root)}
        for publication, file in best_files(folders(self._root)):
            if file.parent not in valid and publication[1] > kept.get(publication[0], publication[1]):
                remove_state(file)

    def complete(self) -> list[Path]:
        """Folders to which every member has been written and that are not valid yet.

        Members whose life was over before the study was stopped count with their last snapshot.
        """
        return [
            folder
            for folder, own in self._written.items()
            if len(own.keys() | self._ended(folder).keys()) == self._size
        ]

    def commit(
        self,
        folder: Path,
        rank: Callable[[Publication, bool], Any | None],
        choose: Choice = the_first,
        position: Position = NOWHERE,
    ) -> Snapshot:
        """Make a complete snapshot valid, and delete those that it makes superfluous.

        Args:
            folder: the snapshot's.
            rank: where a publication stands among all; None where it does not count. The second argument says
                whether its weights are at hand only if the member went on with them.
            choose: which publications it keeps.
            position: a line of the journal, on the disk, that comes after all that the snapshot builds upon.
        """
        written = self._written[folder]
        for member, file in self._ended(folder).items():
            if member not in written:
                share_state(file, member_file(folder, member))
                written[member] = self._generations
                self._empty |= {member_file(folder, member)} if file in self._empty else set()
        self._over = {member: member_file(folder, member) for member in self._over}
        empty = [member for member in sorted(written) if member_file(folder, member) in self._empty]
        best = self._take_best(folder, written, rank, choose)
        snapshot = write_manifest(folder, written, best, empty, position)
        # Only now: after an error, whoever saves again must find what the others have written.
        del self._written[folder]
        valid = [each.path for each in valid_snapshots(self._root)]
        for other in folders(self._root):
            # Members that are ahead may be writing to a later snapshot already.
            overtaken = folder.name.startswith(STOPPED) or other.name < folder.name
            if other in valid[self._keep :] or (other not in valid and overtaken):
                self._written.pop(other, None)
                # Without its manifest it is no longer a snapshot, wherever the deletion is interrupted.
                (other / MANIFEST).unlink(missing_ok=True)
                shutil.rmtree(other)
                self._empty = {file for file in self._empty if file.parent != other}
        return snapshot

    def _take_best(
        self,
        folder: Path,
        generations: Mapping[int, int],
        rank: Callable[[Publication, bool], Any | None],
        choose: Choice,
    ) -> Sequence[Publication]:
        """Keep the best publications whose weights are in any folder in this one too, and no others there."""
        files: dict[Publication, tuple[Any, Path]] = {}
        # Also of snapshots that some members alone have written: a stop overtakes them.
        latest = [
            (publication, member_file(other, publication[0]), True)
            for other, own in {**self._written, folder: generations}.items()
            for publication in own.items()
        ]
        kept = [(publication, file, False) for publication, file in best_files(folders(self._root))]
        for publication, file, went_on in [*latest, *kept]:
            if (
                publication[1] <= generations[publication[0]]
                and file not in self._empty
                and (place := rank(publication, went_on)) is not None
            ):
                files[publication] = place, file
        best = choose(sorted(files, key=lambda publication: files[publication][0]), generations)
        for publication in best:
            if not best_file(folder, publication).exists():
                share_state(files[publication][1], best_file(folder, publication))
        for publication, file in best_files([folder]):
            if publication not in best:
                remove_state(file)
        return best

    def newest(self) -> Snapshot | None:
        """The valid snapshot with the most training."""
        return next(iter(valid_snapshots(self._root)), None)

    @property
    def _last(self) -> Path:
        return self.folder(self._generations)

    def _ended(self, folder: Path) -> dict[int, Path]:
        """Files of members that write nothing to a folder because their life was over before."""
        last = self._written.get(self._last, {}) if folder.name.startswith(STOPPED) else {}
        return {**self._over, **{member: member_file(self._last, member) for member in last}}


def valid_snapshots(root: Path) -> list[Snapshot]:
    """All valid snapshots below ``root``, the one with the most training first.

    Valid: the manifest is as it was written, and every member's file is there with its size.
    """
    found = []
    for folder in folders(root):
        with contextlib.suppress(DamagedSnapshotError):
            found.append(read_manifest(folder))
    return sorted(found, key=lambda snapshot: sum(snapshot.generations), reverse=True)
