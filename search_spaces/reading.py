"""Reading plain values from a user's definition, with errors that name the key."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search_spaces.errors import ConfigurationError
from search_spaces.plain_numbers import is_odd_number


class Nothing:
    """Marks a value that was not given; reads as ``nothing`` in an error message."""

    def __repr__(self) -> str:
        return "nothing"


def closest(name: object, names: Iterable[str]) -> str:
    """A hint with the known name closest to ``name``; empty where none is close."""
    matches = difflib.get_close_matches(str(name), list(names), n=1)
    return f"did you mean {matches[0]!r}?" if matches else ""


def listing(values: Iterable[object]) -> str:
    """Values for an error message: ``'relu', 'tanh'``."""
    return ", ".join(repr(value) for value in values)


def as_real(value: object, key: str, expected: str = "a finite number") -> float:
    """A finite float. Numeric strings pass, since YAML 1.1 reads ``1e-4`` as a string."""
    odd = isinstance(value, str) and is_odd_number(value)
    if isinstance(value, int | float | str | np.number) and not isinstance(value, bool) and not odd:
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise ConfigurationError(key, expected, value)


def as_whole(value: object, key: str, expected: str = "an integer") -> int:
    """An integer; ``16.0`` and ``"1e3"`` pass, ``16.5`` does not."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    number = as_real(value, key, expected)
    if not number.is_integer():
        raise ConfigurationError(key, expected, value)
    return int(number)


def as_scalar(value: object, key: str) -> bool | int | float | str:
    """A string, number or boolean as it stands; YAML's null and nested values are refused."""
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    hint = "write 'none' in quotes for a choice of that name" if value is None else ""
    raise ConfigurationError(key, "a string, a finite number or a boolean", value, hint)


def as_list(value: object, key: str, expected: str) -> Sequence[Any]:
    """A list that is not empty."""
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return value
    raise ConfigurationError(key, expected, value)


@dataclass(frozen=True)
class Section:
    """A mapping of the definition and the dotted path under which the user wrote it."""

    entries: Mapping[str, Any]
    path: str

    @classmethod
    def of(cls, value: object, path: str, expected: str) -> Section:
        """``value`` as a section.

        Raises:
            ConfigurationError: it is not a mapping, or empty.
        """
        if not isinstance(value, Mapping) or not value:
            raise ConfigurationError(path, expected, value)
        return cls(value, path)

    def key(self, name: str) -> str:
        """The dotted path of one of its keys."""
        return f"{self.path}.{name}"

    def only(self, *allowed: str) -> None:
        """Refuse every key but these."""
        for name in self.entries:
            if name not in allowed:
                hint = closest(name, allowed)
                raise ConfigurationError(
                    self.key(name), f"no such key, only {listing(allowed)}", self.entries[name], hint
                )

    def has(self, name: str) -> bool:
        """Whether the key was given; a null counts as not given."""
        return self.entries.get(name) is not None

    def get(self, name: str, expected: str) -> Any:
        """The value of a key that must be there."""
        if not self.has(name):
            raise ConfigurationError(self.key(name), expected, Nothing())
        return self.entries[name]

    def real(self, name: str) -> float:
        """A finite float that must be there."""
        return as_real(self.get(name, "a finite number"), self.key(name))

    def whole(self, name: str) -> int:
        """An integer that must be there."""
        return as_whole(self.get(name, "an integer"), self.key(name))

    def flag(self, name: str) -> bool:
        """A boolean; false where it was not given."""
        value = self.entries.get(name, False)
        if not isinstance(value, bool):
            raise ConfigurationError(self.key(name), "true or false", value)
        return value

    def one_of(self, name: str, allowed: Iterable[str]) -> str:
        """One of a few words, which must be there."""
        allowed = tuple(allowed)
        value = self.get(name, f"one of {listing(allowed)}")
        if not isinstance(value, str) or value not in allowed:
            raise ConfigurationError(
                self.key(name), f"one of {listing(allowed)}", value, closest(value, allowed)
            )
        return value
