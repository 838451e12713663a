"""What the structured configs allow, in words: for error messages."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable
from enum import Enum
from typing import Any

from orchestrator.config import Root

_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a text", type(None): "null"}


def type_of(key: str) -> Any | None:
    """The declared type of a dotted key; None where the schema leaves it free or does not know it."""
    declared: Any = Root
    for part in key.split("."):
        if not dataclasses.is_dataclass(declared):
            return None
        declared = typing.get_type_hints(declared).get(part)
    return declared


def allowed(key: str) -> str:
    """What may stand at a dotted key, as a noun phrase."""
    return _in_words(type_of(key))


def keys_below(key: str) -> list[str]:
    """The keys that the schema knows directly below ``key`` (the root: an empty text)."""
    section = type_of(key) if key else Root
    return [field.name for field in dataclasses.fields(section)] if dataclasses.is_dataclass(section) else []


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """A hint that names the known name closest to a mistyped one; empty where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {prefix}{close[0]}?" if close else ""


def _in_words(declared: Any) -> str:
    if dataclasses.is_dataclass(declared):
        return f"a mapping with the keys {', '.join(field.name for field in dataclasses.fields(declared))}"
    if isinstance(declared, type) and issubclass(declared, Enum):
        return f"one of {', '.join(declared.__members__)}"
    if isinstance(declared, types.UnionType):
        return " or ".join(_in_words(option) for option in typing.get_args(declared))
    if typing.get_origin(declared) is list:
        return "a list"
    if typing.get_origin(declared) is dict:
        return "a mapping"
    return _WORDS.get(declared, "another value")
