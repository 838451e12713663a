"""Objects of a library as states, and back, without pickle: a checkpoint may be somebody else's."""

from __future__ import annotations

import copyreg
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from workloads.contract import State

_PLAIN = (str, int, float, bool, type(None))
_NUMPY = "numpy.random"
_MAKERS = re.compile(r"__pyx_unpickle_\w+|__\w+_ctor")
"""Functions by which Cython and NumPy make objects."""


class Objects:
    """Takes objects apart as pickle does, into a state, and makes them again from trusted classes only.

    An object that several others refer to becomes several. Equal objects give equal states.

    Args:
        trusted: packages, modules or classes by their full names, such as ``sklearn``. Their constructors and
            ``__setstate__`` are called with what a checkpoint holds, so none may run or write what it is
            given. NumPy's random states are always trusted.
    """

    def __init__(self, *trusted: str) -> None:
        self._trusted = (*trusted, _NUMPY)

    def apart(self, value: Any) -> State:
        """An object as a state.

        Raises:
            TypeError: something in it, such as a function, a set or an object of an untrusted class, could
                not be made again by :meth:`together`.
        """
        if type(value) in _PLAIN:
            return value
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value)
        if type(value) in (list, tuple):
            state: State = {"$items": type(value)(map(self.apart, value))}
        elif type(value) is dict:
            state = {"$entries": [[self.apart(key), self.apart(item)] for key, item in value.items()]}
        elif isinstance(value, np.dtype):
            state = {"$dtype": value.str}
        elif isinstance(value, type):
            state = {"$class": self._name(value)}
        else:
            state = self._reduced(value)
        return state

    def together(self, state: State) -> Any:
        """The object again.

        Raises:
            ValueError: the state would make something that is not trusted.
        """
        if not isinstance(state, Mapping):
            return state
        kind, content = next(iter(state.items()))
        makers: dict[str, Callable[[], Any]] = {
            "$items": lambda: type(content)(map(self.together, content)),
            "$entries": lambda: {self.together(key): self.together(item) for key, item in content},
            "$array": lambda: copy(content),
            "$records": lambda: _records(content, state["offsets"], state["itemsize"]),
            "$objects": lambda: self._objects(content, state["shape"]),
            "$dtype": lambda: np.dtype(content),
            "$class": lambda: self._found(*content),
            "$made": lambda: self._made(content, self.together(state["of"]), self.together(state["state"])),
        }
        return makers[kind]()

    def _reduced(self, value: Any) -> State:
        reduced = value.__reduce_ex__(2)
        if isinstance(reduced, str):
            raise TypeError(f"{type(value).__name__}: expected an object that a state can hold, got a global")
        maker, arguments, state, *more = (*reduced, None)[:5]
        if any(more):
            raise TypeError(f"{type(value).__name__} holds items that no state can")
        new = maker is copyreg.__newobj__  # type: ignore[attr-defined]
        name = "" if new else self._name(maker)
        return {"$made": name, "of": self.apart(arguments), "state": self.apart(state)}

    def _array(self, value: Any) -> State:
        if value.dtype.hasobject:
            return {"$objects": [self.apart(item) for item in value.ravel()], "shape": value.shape}
        if value.dtype.fields:  # records
            # Field by field, since what lies between fields is whatever was in memory there.
            fields = {name: value[name].copy() for name in value.dtype.names}
            offsets = [value.dtype.fields[name][1] for name in fields]
            return {"$records": fields, "offsets": offsets, "itemsize": value.dtype.itemsize}
        return {"$array": value.copy()}

    def _objects(self, items: Sequence[State], shape: tuple[int, ...]) -> np.ndarray:
        array = np.empty(len(items), object)
        for place, item in enumerate(items):
            array[place] = self.together(item)
        return array.reshape(shape)

    def _made(self, name: Any, arguments: tuple[Any, ...], state: Any) -> Any:
        if name:
            made = self._found(*name)(*arguments)
        elif isinstance(arguments[0], type):
            made = arguments[0].__new__(*arguments)
        else:
            raise ValueError(f"a checkpoint makes an object of {arguments[0]!r}, which is no class")
        if state is None:
            return made
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            vars(made).update(state)
        return made

    def _name(self, maker: Any) -> list[str]:
        name = [maker.__module__, maker.__qualname__]
        try:
            self._found(*name)
        except ValueError as error:
            trusted = ", ".join(self._trusted)
            raise TypeError(f"expected objects of {trusted}, got {'.'.join(name)}") from error
        return name

    def _found(self, module: str, name: str) -> Callable[..., Any]:
        full = f"{module}.{name}"
        if any(full == one or full.startswith(f"{one}.") for one in self._trusted):
            found: Any = getattr(importlib.import_module(module), name, None)
            kind = isinstance(found, type) or (callable(found) and _MAKERS.fullmatch(name))
            # A module also offers what it imports, such as gzip.GzipFile.
            if kind and found.__module__ == module:
                made: Callable[..., Any] = found
                return made
        raise ValueError(f"a checkpoint holds {full}, which is not loaded")


def _records(fields: Mapping[str, np.ndarray], offsets: list[int], itemsize: int) -> np.ndarray:
    formats = [array.dtype for array in fields.values()]
    layout: Any = {"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": itemsize}
    records = np.zeros(next(iter(fields.values())).shape, np.dtype(layout))
    for name, array in fields.items():
        records[name] = array
    return records
