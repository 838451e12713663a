"""Single overrides, checked before and after Hydra reads them."""

from __future__ import annotations

import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from orchestrator.config.literals import check_literals
from orchestrator.config.yaml_text import DEPTH
from search_spaces.errors import ConfigurationError
from search_spaces.plain_numbers import is_odd_number

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_DELIMITERS = re.compile(r"[\s,:=()\[\]{}]+")


def check_line(line: str) -> None:
    """Refuse what Hydra's parser fails on, or reads as a number that nobody means.

    Raises:
        ConfigurationError: brackets are nested deeply, or a number is written with ``_``.
    """
    key, _, value = line.partition("=")
    key, value = key.lstrip("+~"), _QUOTED.sub("''", value)
    depth = 0
    for character in value:
        depth += (character in "([{") - (character in ")]}")
        if depth > DEPTH:
            expected = f"at most {DEPTH} brackets within one another"
            raise ConfigurationError(key or "command line", expected, line)
    for word in _DELIMITERS.split(value):
        if "_" in word and word.isascii() and is_odd_number(word):
            raise ConfigurationError(key, "a number without '_'", word, "a text stands in quotes")


def check_override(override: Override) -> None:
    """Refuse texts for numbers, see :func:`~orchestrator.config.literals.check_literals`.

    Raises:
        ConfigurationError: the value, or a value of a sweep, is one.
    """
    if override.is_delete() or not override.key_or_group:
        return
    if not override.is_sweep_override():
        check_literals(override.value(), override.key_or_group)
    elif override.is_choice_sweep():
        parser = OverridesParser.create()
        for choice in override.sweep_string_iterator():
            check_override(parser.parse_override(f"{override.get_key_element()}={choice}"))
