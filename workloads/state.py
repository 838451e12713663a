"""States of sessions as files and as values that can travel between processes.

A state is a nested ``dict``/``list``/``tuple`` of torch tensors, NumPy arrays and scalars, folders, numbers,
strings, booleans and None. torch is imported only where a state is at hand.

A state with folders (:mod:`workloads.folder`) is a file and, beside it, ``<name of the file>.folders``. Such
files are moved by :func:`share_state` and deleted by :func:`remove_state`, which know of both. Each carries
checksums of all that belongs to it (:mod:`workloads.checksums`).
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from search_spaces import Config
from workloads.checksums import check_file, label, label_checksum
from workloads.contract import Session, State
from workloads.folder import Folder, StoredFolder, link_folders
from workloads.folder_files import sync_path
from workloads.state_leaves import Packed, check_array, is_tensor, mapped, named, packed, restored, storable

_INDEPENDENT = "_makes_copies"

Method = TypeVar("Method", bound=Callable[..., Any])


def independent(method: Method) -> Method:
    """Mark a session's ``state`` or ``load`` that copies every tensor and array itself.

    Nothing is copied a second time there. A method that overrides it does not inherit the mark.
    """
    setattr(method, _INDEPENDENT, True)
    return method


def take_state(session: Session) -> State:
    """The session's state, independent of later training also where its ``state`` returns references."""
    state = session.state()
    return state if hasattr(session.state, _INDEPENDENT) else copied(state)


def restore(session: Session, state: State, config: Config) -> None:
    """Let ``session`` go on from ``state`` with ``config``.

    ``state`` is shared with nobody, also where ``load`` keeps references, as torch's optimizers do. They also
    take the learning rate over from the state, so ``configure`` comes last.
    """
    session.load(state if hasattr(session.load, _INDEPENDENT) else copied(state))
    session.configure(config)


def check_state(state: State) -> None:
    """Refuse what :func:`save_state` would refuse, without writing anything and without importing torch.

    Raises:
        TypeError: something in ``state`` is not of a state's types; the message says where and what.
    """

    def check(value: Any, place: str) -> None:
        if not (is_tensor(value) or isinstance(value, Folder)):
            check_array(value, place)

    mapped(state, check, "state")


def first_difference(one: State, other: State, place: str = "state") -> str:
    """Where two states, or two sessions' metrics, differ first; empty where they are equal, NaN being NaN."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return f"the keys of {place}"
        found = (first_difference(one[key], other[key], f"{place}.{key}") for key in one)
        return next((each for each in found if each), "")
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(one) != len(other):
            return f"the length of {place}"
        pairs = enumerate(zip(one, other, strict=True))
        found = (first_difference(a, b, f"{place}[{index}]") for index, (a, b) in pairs)
        return next((each for each in found if each), "")
    return "" if _equal(one, other) else place


def _equal(one: Any, other: Any) -> bool:
    if is_tensor(one) and is_tensor(other):
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        one, other = one.detach(), other.detach()
        # Not a number differs from itself, but here it is one value like others.
        return bool(((one == other) | ((one != one) & (other != other))).all())  # noqa: PLR0124
    if isinstance(one, (np.ndarray, np.generic)) or isinstance(other, (np.ndarray, np.generic)):
        a, b = np.asarray(one), np.asarray(other)
        return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(one, Folder) or isinstance(other, Folder):
        return isinstance(one, Folder) and one == other  # an error says that it cannot be read
    try:
        return bool(one == other or (one != one and other != other))  # noqa: PLR0124
    except Exception:  # noqa: BLE001 - a user's objects may compare as they like
        return True


def copied(state: State) -> State:
    """A copy of ``state`` that shares no memory with it; tensors stay on their device.

    Folders never change, so that both share them.
    """
    if isinstance(state, dict):
        return {key: copied(item) for key, item in state.items()}
    if type(state) in (list, tuple):
        return type(state)(copied(item) for item in state)
    if is_tensor(state):
        return state.detach().clone()
    if state is None or type(state) in (bool, int, float, str) or isinstance(state, Folder):
        return state
    # Also what no state should hold: saving it says what is wrong with it.
    return copy.deepcopy(state)


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


def to_parcel(state: State) -> State:
    """``state`` as pickle moves it fastest between processes; :func:`from_parcel` takes it back.

    Tensors become arrays of their bytes, on the CPU; those already there share their memory. Torch's own way
    to pickle makes a file of every tensor, which takes ten times as long where they are small.

    Raises:
        TypeError: as :func:`save_state`.
    """
    return mapped(state, packed, "state")


def from_parcel(parcel: State) -> State:
    """The state in a parcel, on the CPU, in memory of its own."""
    if isinstance(parcel, dict):
        return {key: from_parcel(item) for key, item in parcel.items()}
    if type(parcel) in (list, tuple):
        return type(parcel)(from_parcel(item) for item in parcel)
    if isinstance(parcel, np.ndarray):
        return parcel.copy()  # what comes out of the object store cannot be written to
    return parcel.tensor() if isinstance(parcel, Packed) else parcel


def state_bytes(state: State) -> int:
    """Bytes of all tensors and arrays in a state."""
    if isinstance(state, dict):
        return sum(state_bytes(item) for item in state.values())
    if isinstance(state, (list, tuple)):
        return sum(state_bytes(item) for item in state)
    return int(getattr(state, "nbytes", 0))


def sync_folder(folder: Path) -> None:
    """Return once a rename in ``folder`` is on the disk."""
    sync_path(folder)
