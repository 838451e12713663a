"""States of sessions in memory, and as values that can travel between processes.

A state is a nested ``dict``/``list``/``tuple`` of torch tensors, NumPy arrays and scalars, folders, numbers,
strings, booleans and None. torch is imported only where a state is at hand. States become files in
:mod:`workloads.state_files`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from search_spaces import Config
from workloads.contract import Session, State
from workloads.folder import Folder
from workloads.state_leaves import Packed, check_array, is_tensor, mapped, packed

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
    """Refuse what :func:`workloads.state_files.save_state` would, without writing and without torch.

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


def to_parcel(state: State) -> State:
    """``state`` as pickle moves it fastest between processes; :func:`from_parcel` takes it back.

    Tensors become arrays of their bytes, on the CPU; those already there share their memory. Torch's own way
    to pickle makes a file of every tensor, which takes ten times as long where they are small.

    Raises:
        TypeError: as :func:`workloads.state_files.save_state`.
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
