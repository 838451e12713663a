"""Optional dependencies of optimizers: what to install when one is missing."""

from __future__ import annotations

from contextlib import AbstractContextManager

from search_spaces import extras


def needs_extra(extra: str, user: str) -> AbstractContextManager[None]:
    """Turn a failed import inside into an error that names the extra.

    Raises:
        ConfigurationError: a module of the extra is not installed.
    """
    return extras.needs_extra("optimizer", extra, user)
