"""The leaves of a state, such as tensors and folders: which are allowed, how they are stored and moved."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from workloads.folder import Folder

_ARRAY = "$numpy"
_FOLDER = "$folder"


def mapped(value: Any, leaf: Callable[[Any, str], Any], place: str) -> Any:
    """``value`` with ``leaf(value, place)`` instead of every tensor, array, NumPy scalar and folder.

    Raises:
        TypeError: something in it is not of a state's types; the message says where and what.
    """
    if isinstance(value, dict):
        return {key: mapped(item, leaf, _below(place, key)) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(mapped(item, leaf, f"{place}[{index}]") for index, item in enumerate(value))
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (np.ndarray, np.generic, Folder)) or is_tensor(value):
        return leaf(value, place)
    raise TypeError(
        f"{place}: expected a dict, list, tuple, tensor, array, folder, number, string, boolean or None, "
        f"got {type(value).__module__}.{type(value).__qualname__}"
    )


def _below(place: str, key: Any) -> str:
    if type(key) not in (str, int):
        raise TypeError(f"{place}: expected keys that are strings or integers, got {key!r}")
    if key in (_ARRAY, _FOLDER):
        raise TypeError(f"{place}: expected any key but {key!r}, which marks arrays and folders in files")
    return f"{place}.{key}"


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor; where torch has not been imported, nothing is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def check_array(value: Any, place: str) -> None:
    """Refuse arrays of Python objects and of records, which ``load_state`` could not read safely.

    Raises:
        TypeError: it is one; the message says where.
    """
    if value.dtype.hasobject or value.dtype.fields:
        raise TypeError(
            f"{place}: expected an array of numbers, booleans or strings, got dtype {value.dtype}"
        )


@dataclass(frozen=True)
class Packed:
    """A tensor as an array, which Ray's object store and pickle take without a copy."""

    content: np.ndarray
    dtype: Any
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return int(self.content.nbytes)

    def tensor(self) -> Any:
        import torch

        tensor = torch.empty(self.shape, dtype=self.dtype)
        _bytes(tensor)[:] = self.content
        return tensor


def packed(value: Any, place: str) -> Any:
    """A tensor as :class:`Packed`; a folder as its contents; anything else as it is."""
    if isinstance(value, Folder):
        return value.packed()
    import torch

    tensor = _hosted(value, place)
    if not isinstance(tensor, torch.Tensor):
        return tensor
    return Packed(_bytes(tensor), tensor.dtype, tuple(tensor.shape))


def storable(value: Any, place: str) -> Any:
    """A tensor on the CPU; an array as a tensor of its bytes, since ``weights_only`` admits no NumPy."""
    import torch

    if isinstance(value, torch.Tensor):
        return _hosted(value, place)
    check_array(value, place)
    kind = "array" if isinstance(value, np.ndarray) else "scalar"
    data = torch.frombuffer(bytearray(value.tobytes()), dtype=torch.uint8) if value.nbytes else torch.empty(0)
    return {_ARRAY: (kind, value.dtype.str, value.shape, data)}


def named(folder: str) -> dict[str, str]:
    """What stands in a file for a folder that lies beside it under this name."""
    return {_FOLDER: folder}


def restored(value: Any, folder: Callable[[str], Folder]) -> Any:
    """The state that was made of :func:`storable` leaves and of folders' names (:func:`named`)."""
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return _array(value[_ARRAY])
        if value.keys() == {_FOLDER}:
            return folder(value[_FOLDER])
        return {key: restored(item, folder) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(restored(item, folder) for item in value)
    return value


def _array(content: tuple[str, str, tuple[int, ...], Any]) -> np.ndarray | np.generic:
    kind, dtype, shape, data = content
    array = np.frombuffer(data.numpy().tobytes(), dtype=dtype).reshape(shape).copy()
    return array if kind == "array" else cast(np.generic, array[()])


def _hosted(value: Any, _: str) -> Any:
    """A tensor detached and on the CPU; a slice is cut out of its storage, which would travel with it."""
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    tensor = value.detach().cpu()
    return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor


def _bytes(tensor: Any) -> np.ndarray:
    """A tensor's memory, or a copy's where it is not contiguous; not all of torch's types are NumPy's."""
    import torch

    if tensor.ndim and tensor.stride(-1) != 1:
        tensor = tensor.clone(memory_format=torch.contiguous_format)
    content: np.ndarray = tensor.flatten().view(torch.uint8).numpy()
    return content
