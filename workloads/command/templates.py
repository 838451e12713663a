"""What a program is given: texts with ``{names}`` in them, filled one by one; no shell ever sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces import Config, ConfigurationError
from search_spaces.reading import closest, listing

_NAME = re.compile(r"\{\{|\}\}|\{([A-Za-z_][\w.-]*)\}")
_PLAIN = re.compile(r"[\w./+-]+", re.ASCII)
_PLAIN_TEXT = re.compile(r"(?!(?i:null|true|false|inf|nan)\Z)[A-Za-z_][\w./+-]*", re.ASCII)
"""What Hydra reads without quotes, and what it then takes for a text."""
ARGUMENTS, OVERRIDES = "{hyperparameters}", "{overrides}"
"""Arguments that stand for all hyperparameters: ``--name=value``, and ``name=value`` as Hydra reads it."""
OWN = ("seed", "units", "age", "load", "save", "checkpoint", "config", "folder", "python", "threads")
"""Names with a meaning of their own, see :class:`workloads.command.workload.Command`."""

Item = str | Sequence[str]
"""An argument, or several that are left out together where one of them has no value."""
Values = Mapping[str, str | None]
"""Texts by name; None: there is no value now, such as a checkpoint before the first interval."""


@dataclass(frozen=True)
class Template:
    """A command line.

    Args:
        items: its arguments.
    """

    items: tuple[Item, ...]

    @classmethod
    def of(cls, items: Sequence[Any]) -> Template:
        """The arguments that a configuration lists.

        Raises:
            ConfigurationError: they are no texts, numbers, or lists of these.
        """
        if not items:
            raise ConfigurationError("command", "a program and its arguments", list(items))
        return cls(tuple(_item(item, f"command[{index}]") for index, item in enumerate(items)))

    @property
    def texts(self) -> list[str]:
        """All arguments, whether they are always there or not."""
        return [text for item in self.items for text in ([item] if isinstance(item, str) else item)]

    def names(self) -> set[str]:
        """What is filled in."""
        return {name for text in self.texts for name in names_in(text)}

    def always(self) -> set[str]:
        """What is filled in outside of groups, so that it needs a value."""
        return {name for item in self.items if isinstance(item, str) for name in names_in(item)}

    def fill(self, values: Values, config: Config) -> list[str]:
        """The arguments with these values; ``config`` is behind the arguments for all hyperparameters."""
        return [argument for item in self.items for argument in _filled(item, values, config)]


def check_names(texts: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse names in texts, by their keys, that nothing could be filled in for.

    Raises:
        ConfigurationError: there is one; the message lists the known ones.
    """
    for key, text in texts.items():
        for name in names_in(text):
            if name not in known:
                hint = closest(name, known) or "write {{ and }} for braces"
                raise ConfigurationError(key, f"names among {listing(known)}", f"{{{name}}}", hint)


def names_in(text: str) -> Iterator[str]:
    """The names in a text, but those that stand for all hyperparameters."""
    if text not in (ARGUMENTS, OVERRIDES):
        yield from (found[1] for found in _NAME.finditer(text) if found[1])


def filled(text: str, values: Values) -> str:
    """A text with its names replaced; all of them have a value."""
    doubled = {"{{": "{", "}}": "}"}
    return _NAME.sub(lambda found: doubled.get(found[0]) or values[found[1]] or "", text)


def variables(texts: Mapping[str, str], values: Values) -> dict[str, str]:
    """Those variables of the environment in which everything has a value."""
    absent = {name for name, value in values.items() if value is None}
    return {name: filled(text, values) for name, text in texts.items() if not absent & {*names_in(text)}}


def text_of(value: object) -> str:
    """A hyperparameter as programs read it: numbers in full, truth, lists and the like as JSON has them."""
    return json.dumps(value) if value is None or isinstance(value, bool | list | dict) else str(value)


def _filled(item: Item, values: Values, config: Config) -> list[str]:
    if not isinstance(item, str):
        absent = any(values[name] is None for text in item for name in names_in(text))
        return [] if absent else [argument for text in item for argument in _filled(text, values, config)]
    if item == ARGUMENTS:
        return [f"--{name}={text_of(value)}" for name, value in config.items()]
    if item == OVERRIDES:
        return [f"{name}={_for_hydra(value)}" for name, value in config.items()]
    return [filled(item, values)]


def _for_hydra(value: object) -> str:
    """A value as Hydra's grammar reads it for itself, a text as a text."""
    if isinstance(value, list):
        return f"[{','.join(map(_for_hydra, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{name}:{_for_hydra(one)}' for name, one in value.items())}}}"
    text = text_of(value)
    if (_PLAIN_TEXT if isinstance(value, str) else _PLAIN).fullmatch(text):
        return text
    return "'" + re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), text) + "'"


def _item(given: Any, key: str) -> Item:
    if isinstance(given, Sequence) and not isinstance(given, str):
        return tuple(_text(text, f"{key}[{index}]") for index, text in enumerate(given))
    return _text(given, key)


def _text(given: Any, key: str) -> str:
    if isinstance(given, str) and "\0" not in given:
        return given
    if isinstance(given, int | float):
        return text_of(given)
    raise ConfigurationError(key, "a text or a number, or a list of these that are left out together", given)
