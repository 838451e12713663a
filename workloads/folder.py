"""A folder of files as part of a session's state, such as the checkpoint that somebody else's program wrote.

A :class:`Folder` never changes: sessions, copies of members and snapshots share one on the disk. Those that
this program keeps for itself are hard links of one another. Whoever may write into its files gets them from
:meth:`Folder.copy_to`, as files of their own: a reflink where the file system has them, else a copy of the
bytes. A hard link would not do there, since a program that opens a file for writing changes every link. The
files that are kept are read-only, which reminds people who look at a snapshot.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workloads.folder_files import (
    below,
    check_tree,
    clone_file,
    copy_tree,
    link_file,
    link_text,
    protect_tree,
    stamp,
    sync_tree,
)


class Folder(ABC):
    """What a folder held at one moment: files, their permissions, symbolic links and subfolders."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of all its files."""

    @abstractmethod
    def copy_to(self, target: Path) -> None:
        """Make a folder ``target`` of files that may be written to; its parent exists, it does not yet."""

    @abstractmethod
    def store(self, target: Path) -> None:
        """The same for files that nobody will write to, on the disk for good once it returns."""

    @abstractmethod
    def packed(self) -> PackedFolder:
        """The same contents as a value that travels between processes and machines."""

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same files with the same bytes."""
        if self is other:
            return True
        if not isinstance(other, Folder) or self.nbytes != other.nbytes:
            return False
        own, theirs = self.packed().entries, other.packed().entries
        return own.keys() == theirs.keys() and all(own[name].same(theirs[name]) for name in own)

    __hash__ = object.__hash__

    def __copy__(self) -> Folder:
        return self

    def __deepcopy__(self, _: object) -> Folder:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedFolder, (self.packed().entries,)


class StoredFolder(Folder):
    """A folder on this machine's disk, or on a disk that all machines see.

    Args:
        path: the folder. Nobody may write to it from now on.
        owned: whether it is deleted when this object is no longer used; as a rule by :func:`adopted` and
            :func:`copied_from`.
    """

    def __init__(self, path: Path, *, owned: bool) -> None:
        self.path, self.owned = path, owned
        if owned:
            weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)

    @property
    def nbytes(self) -> int:
        return sum(info.st_size for path in below(self.path) if stat.S_ISREG((info := path.lstat()).st_mode))

    def copy_to(self, target: Path) -> None:
        copy_tree(self.path, target, clone_file)

    def store(self, target: Path) -> None:
        copy_tree(self.path, target, link_file)
        sync_tree(target)

    def packed(self) -> PackedFolder:
        root = self.path
        return PackedFolder({str(path.relative_to(root)): _entry(path, root) for path in below(root)})


@dataclass(frozen=True)
class Entry:
    """A file, a symbolic link or a subfolder.

    Args:
        mode: as ``os.lstat`` has it.
        content: a file's bytes, or a link's target as bytes; empty for a subfolder.
        mtime_ns: when a file or subfolder was written, in nanoseconds, as ``os.lstat`` has it.
    """

    mode: int
    content: np.ndarray
    mtime_ns: int

    def same(self, other: Entry) -> bool:
        """Whether it is of the same kind and content."""
        return stat.S_IFMT(self.mode) == stat.S_IFMT(other.mode) and np.array_equal(
            self.content, other.content
        )

    def write(self, path: Path) -> None:
        """Make it anew at ``path``."""
        if stat.S_ISDIR(self.mode):
            path.mkdir(exist_ok=True)
        elif stat.S_ISLNK(self.mode):
            path.symlink_to(os.fsdecode(self.content.tobytes()))
        else:
            with path.open("wb") as file:
                file.write(self.content.data)
            path.chmod(stat.S_IMODE(self.mode) | stat.S_IWUSR)
            stamp(path, self.mtime_ns)


@dataclass(frozen=True, eq=False)
class PackedFolder(Folder):
    """A folder's contents in memory, or in memory that is mapped from files.

    Args:
        entries: by path relative to the folder, a subfolder before what it holds.
    """

    entries: Mapping[str, Entry]

    @property
    def nbytes(self) -> int:
        return sum(entry.content.nbytes for entry in self.entries.values() if stat.S_ISREG(entry.mode))

    def copy_to(self, target: Path) -> None:
        target.mkdir()
        for name, entry in self.entries.items():
            entry.write(target / name)
        for name, entry in self.entries.items():
            if stat.S_ISDIR(entry.mode):
                stamp(target / name, entry.mtime_ns)

    def store(self, target: Path) -> None:
        self.copy_to(target)
        protect_tree(target)
        sync_tree(target)

    def packed(self) -> PackedFolder:
        return self


def adopted(path: Path) -> Folder:
    """The folder ``path`` itself, which nobody may write to any more; deleted when it is no longer used.

    Raises:
        FileNotFoundError: there is no such folder.
        TypeError: it holds something that is neither a file, a folder nor a symbolic link.
    """
    check_tree(path)
    protect_tree(path)
    return StoredFolder(path, owned=True)


def copied_from(source: Path, within: Path) -> Folder:
    """A copy of the folder ``source`` as it is now; it lies below ``within`` for as long as it is used.

    Raises:
        FileNotFoundError: there is no such folder.
        TypeError: as :func:`adopted`.
    """
    check_tree(source)
    within.mkdir(parents=True, exist_ok=True)
    target = within / uuid.uuid4().hex
    kept = StoredFolder(target, owned=True)  # before: what an error leaves behind is deleted too
    copy_tree(source, target, clone_file)
    protect_tree(target)
    return kept


def held(folder: Folder, place: Path) -> Folder:
    """``folder`` for as long as the result is used, also where others may delete its files.

    Args:
        place: where the files lie if need be, as hard links if possible; its parent exists, it does not.
    """
    if isinstance(folder, StoredFolder) and folder.owned:
        return folder
    kept = StoredFolder(place, owned=True)
    if isinstance(folder, StoredFolder):
        copy_tree(folder.path, place, link_file)
    else:
        folder.copy_to(place)
        protect_tree(place)
    return kept


def link_folders(source: Path, target: Path) -> None:
    """Let ``target`` hold the folders that ``source`` holds, on the disk once where it has hard links."""
    if source.is_dir():
        copy_tree(source, target, link_file)
        sync_tree(target)


def moved(source: Path, target: Path) -> Path:
    """Rename the folder ``source``, whose links to absolute places inside it go along; ``target``."""
    for path in below(source):
        if path.is_symlink() and str(path.readlink()) != (place := link_text(path, source)):
            path.unlink()
            path.symlink_to(place)
    return source.rename(target)


def _entry(path: Path, folder: Path) -> Entry:
    info = path.lstat()
    if stat.S_ISREG(info.st_mode):
        # Mapped, so that it is read where it is needed; an empty file cannot be.
        content = np.memmap(path, np.uint8, "r") if info.st_size else np.empty(0, np.uint8)
        return Entry(info.st_mode, np.asarray(content), info.st_mtime_ns)
    text = os.fsencode(link_text(path, folder)) if stat.S_ISLNK(info.st_mode) else b""
    return Entry(info.st_mode, np.frombuffer(text, np.uint8), info.st_mtime_ns)
