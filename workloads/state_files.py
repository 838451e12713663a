"""States of sessions as files.

A state with folders (:mod:`workloads.folder`) is a file and, beside it, ``<name of the file>.folders``. Such
files are moved by :func:`share_state` and deleted by :func:`remove_state`, which know of both. Each carries
checksums of all that belongs to it (:mod:`workloads.checksums`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

from workloads.checksums import check_file, label, label_checksum
from workloads.contract import State
from workloads.folder import Folder, StoredFolder, link_folders
from workloads.folder_files import sync_path
from workloads.state_leaves import mapped, named, restored, storable


def save_state(path: Path, state: State) -> None:
    """Write ``state`` so that at every moment ``path`` holds either nothing, what it held, or all of it.

    Tensors are written as they are on the CPU. The folder must exist; its entry for ``path`` survives the
    death of the machine once :func:`sync_folder` has been called, which does for many files at once.

    Raises:
        TypeError: something in ``state`` is not of a state's types; the message says where and what.
    """
    import torch

    beside, names = _beside(path), set[str]()

    def stored(value: Any, place: str) -> Any:
        if not isinstance(value, Folder):
            return storable(value, place)
        beside.mkdir(exist_ok=True)
        name = uuid.uuid4().hex
        names.add(name)
        value.store(beside / name)
        return named(name)

    before = _folders(beside)
    # In the same folder, since only within one file system is a rename atomic.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        content = mapped(state, stored, "state")
        if names:
            sync_folder(beside)
        with temporary.open("xb+") as file:
            torch.save(content, file)
            label(file, {name: beside / name for name in names})
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        _drop_folders(beside, before)
        raise
    _drop_folders(beside, names)


def load_state(path: Path, checksum: str | None = None) -> State:
    """What :func:`save_state` wrote: bit-identical tensors (on the CPU) and arrays.

    Folders are those beside the file; whoever keeps one for longer than the file copies it.

    Args:
        checksum: as of :func:`check_state_file`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a whole state, or not as it was written.
    """
    import torch

    check_state_file(path, checksum)

    def folder(name: Any) -> Folder:
        # A name, and no path that leads elsewhere.
        if not (isinstance(name, str) and re.fullmatch("[0-9a-f]{32}", name)):
            raise ValueError(f"{path}: expected the name of a folder beside it, got {name!r}")
        if not (_beside(path) / name).is_dir():
            raise ValueError(f"{path}: expected a folder {name} in {_beside(path).name}, found none")
        return StoredFolder(_beside(path) / name, owned=False)

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch promises no type for what a damaged file raises
        raise ValueError(
            f"{path}: expected a state, got an unreadable file ({type(error).__name__})"
        ) from error
    return restored(content, folder)


def check_state_file(path: Path, checksum: str | None = None) -> None:
    """Make sure that a state's file and its folders are as :func:`save_state` wrote them.

    Args:
        checksum: of the label that it was written with (:func:`workloads.checksums.label_checksum`); None: it
            may be any state.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: they are not; the message says what is wrong.
    """
    if checksum is not None and label_checksum(path) != checksum:
        raise ValueError(f"{path} is not the file that was saved there")
    check_file(path, _beside(path))


def share_state(source: Path, target: Path) -> None:
    """Let ``target`` hold the state that ``source`` holds, on the disk once where it has hard links."""
    beside = _beside(target)
    before, new = _folders(beside), _folders(_beside(source))
    draft = target.with_name(f".{target.name}.part")
    try:
        _share_folders(_beside(source), beside, new - before)
        draft.unlink(missing_ok=True)
        try:
            os.link(source, draft)
        except OSError:
            shutil.copyfile(source, draft)
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        _drop_folders(beside, before)
        raise
    _drop_folders(beside, new)


def _share_folders(source: Path, target: Path, names: set[str]) -> None:
    if names:
        target.mkdir(exist_ok=True)
    for name in names:
        draft = target / f".{uuid.uuid4().hex}"
        link_folders(source / name, draft)
        draft.rename(target / name)


def remove_state(path: Path) -> None:
    """Delete a state's file and its folders."""
    path.unlink(missing_ok=True)
    _drop_folders(_beside(path), set())


def _beside(path: Path) -> Path:
    """Where the folders of a state's file lie."""
    return path.with_name(f"{path.name}.folders")


def _folders(beside: Path) -> set[str]:
    return {path.name for path in beside.iterdir()} if beside.is_dir() else set()


def _drop_folders(beside: Path, but: set[str]) -> None:
    """Delete folders that no file speaks of, such as those of an earlier state or of a write that broke."""
    if not beside.is_dir():
        return
    for folder in beside.iterdir():
        if folder.name not in but:
            shutil.rmtree(folder, ignore_errors=True)
    if not but:
        with contextlib.suppress(OSError):  # some file systems keep what a program still has open
            beside.rmdir()


def sync_folder(folder: Path) -> None:
    """Return once a rename in ``folder`` is on the disk."""
    sync_path(folder)
