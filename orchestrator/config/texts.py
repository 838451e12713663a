"""Texts that file systems, Ray, servers and terminals take."""

from __future__ import annotations

import os
import re

PATH = "a path: no control characters, and at most 255 bytes between two slashes"
"""What :func:`is_path` allows, as a noun phrase."""

_ADDRESS = re.compile(r"auto|(ray://)?(\[[0-9a-fA-F:]+\]|[^\s:/\[\]\0]+):(?P<port>[0-9]{1,5})")
_LONGEST_PART, _LONGEST_PATH = 255, 3800
"""Bytes in a name and in a path, as file systems and the system have them; a run adds names of its own."""


def is_path(value: str) -> bool:
    """Whether a file system can have a file of this name."""
    try:
        encoded = os.fsencode(value)
    except UnicodeEncodeError:  # half a character
        return False
    parts = encoded.split(b"/")
    return (
        value.strip() != ""
        and not any(ord(character) < 32 or ord(character) == 127 for character in value)
        and len(encoded) <= _LONGEST_PATH
        and all(len(part) <= _LONGEST_PART for part in parts)
    )


def is_address(value: str) -> bool:
    """Whether a Ray cluster can have this address."""
    found = _ADDRESS.fullmatch(value)
    return found is not None and int(found["port"] or 1) in range(1, 65536)


def is_line(value: str, longest: int) -> bool:
    """Whether a text is one line, and encodable, that servers and terminals take."""
    return len(value.strip()) > 0 and len(value) <= longest and value.isprintable()
