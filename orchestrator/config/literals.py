"""Values that OmegaConf would convert without a word, although nobody means them so."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from orchestrator.config.hints import in_words
from orchestrator.config.schema import Root
from search_spaces.errors import ConfigurationError
from search_spaces.plain_numbers import is_odd_number

_INFINITE = 2**1023
"""Integers from here on have no floating-point number."""


def declared_type(key: str) -> Any | None:
    """The schema's type of a dotted key, also of entries of its mappings; None where it says nothing.

    ``benchmark.suites.bbob.evaluations``, for one, is ``int | None`` for a suite of any name.
    """
    declared: Any = Root
    for part in key.split(".") if key else ():
        declared = _below(declared, part)
        if declared is None:
            return None
    return declared


def check_literals(value: Any, key: str, hint: str = "") -> None:
    """Refuse texts for numbers, and numbers for truth values, that OmegaConf converts all the same.

    It takes ``'１２'`` and ``'1_000'`` for integers, and 3 for true; of an integer that no floating-point
    number can be, it raises an error of its own.

    Args:
        value: plain data.
        key: where it stands; empty: it is the whole configuration.
        hint: where it comes from.

    Raises:
        ConfigurationError: the first such value, under its own key.
    """
    _check(value, declared_type(key), key, hint)


def _check(value: Any, declared: Any, key: str, hint: str) -> None:
    if declared is None:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check(item, _below(declared, str(name)), f"{key}.{name}" if key else str(name), hint)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, _below(declared, ""), f"{key}[{index}]", hint)
    elif not _is_meant(value, _options(declared)):
        raise ConfigurationError(key, in_words(declared), value, hint)


def _is_meant(value: Any, options: tuple[Any, ...]) -> bool:
    if str in options or Any in options:
        return not (isinstance(value, str) and int in options and is_odd_number(value))
    if float in options and isinstance(value, int) and abs(value) >= _INFINITE:
        return False
    if isinstance(value, str):
        return not (is_odd_number(value) and {int, float, bool} & {*options})
    return not (bool in options and isinstance(value, int | float) and value not in (0, 1))


def _options(declared: Any) -> tuple[Any, ...]:
    return typing.get_args(declared) if isinstance(declared, types.UnionType) else (declared,)


def _below(declared: Any, name: str) -> Any | None:
    """The type of an entry: a section's key, or whatever a mapping or list holds."""
    if dataclasses.is_dataclass(declared):
        hints = typing.get_type_hints(declared)
        return hints.get(name)
    for option in _options(declared):
        if typing.get_origin(option) in (dict, list):
            held = typing.get_args(option)[-1]
            return None if held is Any else held
    return None
