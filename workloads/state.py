"""States of sessions as files and as values that can travel between processes.

A state is a nested ``dict``/``list``/``tuple`` of torch tensors, NumPy arrays and scalars, numbers, strings,
booleans and None. torch is imported only where a state is at hand.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from workloads.base import State

_ARRAY = "$numpy"


def save_state(path: Path, state: State) -> None:
    """Write ``state`` so that at every moment ``path`` holds either nothing, what it held, or all of it.

    Tensors are written as they are on the CPU. The folder must exist; its entry for ``path`` survives the
    death of the machine once :func:`sync_folder` has been called, which does for many files at once.

    Raises:
        TypeError: something in ``state`` is not of a state's types; the message says where and what.
    """
    import torch

    content = _map(state, _storable, "state")
    # In the same folder, since only within one file system is a rename atomic.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_state(path: Path) -> State:
    """What :func:`save_state` wrote: bit-identical tensors (on the CPU) and arrays.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a whole state.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch promises no type for what a damaged file raises
        raise ValueError(
            f"{path}: expected a state, got an unreadable file ({type(error).__name__})"
        ) from error
    return _unwrap(content)


def to_host(state: State) -> State:
    """A copy of the containers with every tensor on the CPU; tensors already there are shared.

    Tensors are detached, and a slice is cut out of its larger storage, which would otherwise travel with it.

    Raises:
        TypeError: as :func:`save_state`.
    """
    return _map(state, _hosted, "state")


def state_bytes(state: State) -> int:
    """Bytes of all tensors and arrays in a state."""
    if isinstance(state, dict):
        return sum(state_bytes(item) for item in state.values())
    if isinstance(state, (list, tuple)):
        return sum(state_bytes(item) for item in state)
    return int(getattr(state, "nbytes", 0))


def _map(value: Any, leaf: Callable[[Any, str], Any], place: str) -> Any:
    """``value`` with ``leaf(value, place)`` in the place of every leaf of an allowed type."""
    import torch

    if isinstance(value, dict):
        return {key: _map(item, leaf, _below(place, key)) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_map(item, leaf, f"{place}[{index}]") for index, item in enumerate(value))
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return leaf(value, place)
    raise TypeError(
        f"{place}: expected a dict, list, tuple, tensor, array, number, string, boolean or None, "
        f"got {type(value).__module__}.{type(value).__qualname__}"
    )


def _below(place: str, key: Any) -> str:
    if type(key) not in (str, int):
        raise TypeError(f"{place}: expected keys that are strings or integers, got {key!r}")
    if key == _ARRAY:
        raise TypeError(f"{place}: expected any key but {key!r}, which marks arrays in files")
    return f"{place}.{key}"


def _hosted(value: Any, _: str) -> Any:
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    tensor = value.detach().cpu()
    return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor


def _storable(value: Any, place: str) -> Any:
    """A tensor on the CPU; an array as a tensor of its bytes, since ``weights_only`` admits no NumPy."""
    import torch

    if isinstance(value, torch.Tensor):
        return _hosted(value, place)
    if value.dtype.hasobject or value.dtype.fields:
        raise TypeError(
            f"{place}: expected an array of numbers, booleans or strings, got dtype {value.dtype}"
        )
    kind = "array" if isinstance(value, np.ndarray) else "scalar"
    data = torch.frombuffer(bytearray(value.tobytes()), dtype=torch.uint8) if value.nbytes else torch.empty(0)
    return {_ARRAY: (kind, value.dtype.str, value.shape, data)}


def _unwrap(value: Any) -> Any:
    if isinstance(value, dict):
        return (
            _array(value[_ARRAY]) if value.keys() == {_ARRAY} else {k: _unwrap(v) for k, v in value.items()}
        )
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrap(item) for item in value)
    return value


def _array(content: tuple[str, str, tuple[int, ...], Any]) -> np.ndarray | np.generic:
    kind, dtype, shape, data = content
    array = np.frombuffer(data.numpy().tobytes(), dtype=dtype).reshape(shape).copy()
    return array if kind == "array" else cast(np.generic, array[()])


def sync_folder(folder: Path) -> None:
    """Return once a rename in ``folder`` is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
