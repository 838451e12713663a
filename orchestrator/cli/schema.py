"""What the structured configs allow at a dotted key, for error messages."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from orchestrator.config.hints import in_words
from orchestrator.config.schema import Root


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
    return in_words(type_of(key))


def keys_below(key: str) -> list[str]:
    """The keys that the schema knows directly below ``key`` (the root: an empty text)."""
    section = type_of(key) if key else Root
    return [field.name for field in dataclasses.fields(section)] if dataclasses.is_dataclass(section) else []
