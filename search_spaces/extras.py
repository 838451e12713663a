"""Optional dependencies: what to install when one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from search_spaces.errors import ConfigurationError

EXTRAS = {
    "accelerate": "transformers",
    "gymnasium": "rl",
    "lightgbm": "boosting",
    "lightning": "lightning",
    "pytorch_optimizer": "algorithms",
    "stable_baselines3": "rl",
    "transformers": "transformers",
    "xgboost": "boosting",
}
"""Packages that users' own code imports, and the extra that brings each."""


def advice(error: BaseException) -> str:
    """What to install where an import has failed for want of an extra; empty where that is not the reason."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    extra = EXTRAS.get((missing or "").partition(".")[0])
    return f"pip install 'orchestrator[{extra}]'" if extra else ""


@contextmanager
def needs_extra(key: str, extra: str, user: str) -> Iterator[None]:
    """Turn a failed import inside into an error that names the extra.

    Args:
        key: the configuration key that asked for it.
        extra: the extra of the distribution that brings the packages.
        user: what needs them.

    Raises:
        ConfigurationError: a module of the extra is not installed.
    """
    try:
        yield
    except ImportError as error:
        expected = f"the packages of the extra {extra!r}, which {user} needs"
        hint = f"pip install 'orchestrator[{extra}]'"
        raise ConfigurationError(key, expected, error.name, hint) from error
