"""The one error for anything a user configured wrongly."""

from __future__ import annotations

from typing import Any


class ConfigurationError(ValueError):
    """A configured value cannot be used.

    Reads as one line: the key, what was expected, what was found and, where it helps, what to do.

    Args:
        key: dotted path of the key as the user types it, e.g. ``population.exploit.quantile``.
        expected: what is allowed there, as a noun phrase.
        found: the offending value; shown with ``repr``.
        hint: what to do about it, as a short clause.
    """

    def __init__(self, key: str, expected: str, found: Any, hint: str = "") -> None:
        self.key, self.expected, self.found, self.hint = key, expected, found, hint
        message = f"{key}: expected {expected}, got {found!r}"
        super().__init__(f"{message} ({hint})" if hint else message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.key, self.expected, self.found, self.hint)

    def within(self, prefix: str) -> ConfigurationError:
        """The same error with its key placed below ``prefix``."""
        key = f"{prefix}.{self.key}" if self.key else prefix
        return type(self)(key, self.expected, self.found, self.hint)
