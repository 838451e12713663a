"""The directory that a user names for a run, and how its configuration is kept there."""

from __future__ import annotations

import os
import re
from pathlib import Path

from orchestrator.config.passwords import has_password
from orchestrator.config.texts import PATH, is_path
from orchestrator.tracking.credentials import write_private
from search_spaces.errors import ConfigurationError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def named_directory(key: str, given: str) -> Path:
    """The folder that ``given``, the value of the configuration's ``key``, names, as an absolute path.

    Raises:
        ConfigurationError: it names none on this machine.
    """
    if not is_path(given):
        raise ConfigurationError(key, PATH, given)
    if _URL.match(given):
        hint = "mount an object storage as one, or copy the run there once it has ended"
        raise ConfigurationError(key, "a folder, not a URL", given, hint)
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigurationError(key, "~ or ~user with a home directory", given) from error


def keep_config(path: Path, text: str) -> None:
    """Write a ``config.yaml`` whole or not at all, for its owner's eyes alone where it holds a password."""
    if has_password(text):  # of something else than the tracking server, such as a workload's data
        write_private(path, text)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
