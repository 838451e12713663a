"""Type hints as a user reads them, and whether a configured value fits one."""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from typing import Any

_SCALARS = {int: "an integer", float: "a number", bool: "true or false", str: "a text", type(None): "null"}
_WORDS = {**_SCALARS, list: "a list", dict: "a mapping"}


def in_words(hint: Any) -> str:
    """What a value of this type is, as a noun phrase."""
    if dataclasses.is_dataclass(hint):
        return f"a mapping with the keys {', '.join(field.name for field in dataclasses.fields(hint))}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"one of {', '.join(hint.__members__)}"
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(in_words(option) for option in typing.get_args(hint))
    return _WORDS.get(origin or hint, "a value")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value from a configuration can be of this type; true where the type is no simple one."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(fits(value, option) for option in typing.get_args(hint))
    if hint not in _SCALARS:
        return True
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, int | float if hint is float else hint)
