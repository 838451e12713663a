"""YAML that people write: read with limits, so that a short text cannot stand for billions of values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from search_spaces.errors import ConfigurationError

DEPTH = 100
"""Mappings and lists within one another. Whatever reads them calls itself once for each."""
REPEATED = 100_000
"""Values that all aliases together may stand for. A few lines of aliases of aliases are billions of them."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKED_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9_.]*_[0-9_.e+-]*|0[xob]_?[0-9a-f]*_[0-9a-f_]*)", re.IGNORECASE)


class UnreadableError(yaml.YAMLError):  # type: ignore[misc]
    """A text whose grammar is right, and that is not read all the same.

    Attributes:
        line: where, counted from 1.
        expected: what is allowed there, as a noun phrase.
        found: what is there.
        hint: what to do about it.
    """

    def __init__(self, line: int, expected: str, found: str, hint: str = "") -> None:
        self.line, self.expected, self.found, self.hint = line, expected, found, hint
        super().__init__(str(self.within("")))

    def within(self, file: str) -> ConfigurationError:
        """The same as the error of a configuration file."""
        from search_spaces.errors import ConfigurationError  # heavy, and the help reads YAML

        key = f"{file}, line {self.line}".removeprefix(", ")
        return ConfigurationError(key, self.expected, self.found, self.hint)


def parse(text: str) -> Any:
    """The plain data that ``text`` holds.

    Raises:
        yaml.YAMLError: it is no YAML, names classes, or is beyond the limits.
    """
    check(text)
    try:
        return yaml.load(text, _Loader)
    except (ValueError, TypeError, AttributeError) as error:  # 2026-99-99, 5000 digits, or a list as a key
        raise yaml.YAMLError(f"a value cannot be read: {error}") from error


def check(text: str) -> None:
    """Refuse deep nesting, aliases that multiply or contain themselves, and numbers such as ``1_000``.

    Raises:
        yaml.YAMLError: also where ``text`` is no YAML.
    """
    sizes: dict[str, int] = {}
    begun: list[tuple[str | None, int]] = []
    count = repeated = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _unreadable(event, "an alias of something complete", f"*{event.anchor}")
            repeated += sizes[event.anchor]
            count += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            begun.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            if anchor is not None:
                sizes[anchor] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
            if event.implicit[0] and _MARKED_NUMBER.fullmatch(event.value):
                hint = "a text stands in quotes"
                raise _unreadable(event, "a number without '_'", event.value, hint)
        if len(begun) > DEPTH:
            raise _unreadable(event, f"at most {DEPTH} mappings and lists within one another", "more")
        if repeated > REPEATED:
            raise _unreadable(event, f"at most {REPEATED} values that aliases repeat", "more")


def _unreadable(event: Any, expected: str, found: str, hint: str = "") -> UnreadableError:
    return UnreadableError(event.start_mark.line + 1, expected, found, hint)
