"""Optional dependencies: what to install when one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from search_spaces import ConfigurationError


@contextmanager
def needs_extra(extra: str, user: str) -> Iterator[None]:
    """Turn a failed import inside into an error that names the extra.

    Raises:
        ConfigurationError: a module of the extra is not installed.
    """
    try:
        yield
    except ImportError as error:
        hint = f"pip install 'orchestrator[{extra}]'"
        raise ConfigurationError(
            "optimizer", f"the packages of the extra {extra!r}, which {user} needs", error.name, hint
        ) from error
