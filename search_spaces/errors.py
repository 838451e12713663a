"""The one error for anything a user configured wrongly."""

from __future__ import annotations

from typing import Any

_LONGEST = 300
"""Characters of a value that an error shows."""


class ConfigurationError(ValueError):
    """A configured value cannot be used.

    Reads as one line: the key, what was expected, what was found and, where it helps, what to do.

    Args:
        key: dotted path of the key as the user types it, e.g. ``population.exploit.quantile``.
        expected: what is allowed there, as a noun phrase.
        found: the offending value; shown with ``repr``, without its middle where that is long.
        hint: what to do about it, as a short clause.
    """

    def __init__(self, key: str, expected: str, found: Any, hint: str = "") -> None:
        self.key, self.expected, self.found, self.hint = key, expected, found, hint
        message = f"{key}: expected {expected}, got {_shown(found)}"
        super().__init__(f"{message} ({hint})" if hint else message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.key, self.expected, self.found, self.hint)

    def within(self, prefix: str) -> ConfigurationError:
        """The same error with its key placed below ``prefix``."""
        key = f"{prefix}.{self.key}" if self.key else prefix
        return type(self)(key, self.expected, self.found, self.hint)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        text = f"a {type(value).__name__} of more digits than can be shown"
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} … {text[-half:]}"
