"""What optimizers demand of their own arguments."""

from __future__ import annotations

from search_spaces import ConfigurationError


def at_least(least: int, **values: int | None) -> None:
    """Refuse arguments of an optimizer that are too small; None is not looked at.

    Raises:
        ConfigurationError: one is below ``least``.
    """
    for name, value in values.items():
        if value is not None and value < least:
            raise ConfigurationError(f"optimizer.{name}", f"at least {least}", value)
