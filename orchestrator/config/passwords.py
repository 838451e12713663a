"""Passwords in URIs and in variables of workers: hidden wherever people or files may see them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

_USER_INFO = re.compile(r"(?P<before>://[^\s/?#@:]*:)\S{0,4096}@")
"""People write ``@``, ``/``, ``?`` and ``#`` in passwords unescaped, and then see them in an error message.
So a password ends at the last ``@`` of its word, even if that hides a host."""
_TOKEN = re.compile(r"(?P<before>\bhttps?://)[^\s/?#@:]{1,4096}@(?:[^\s/?#@]{0,4096}@)?", re.IGNORECASE)
"""A lone name before a server's host is a token more often than a user."""
_USER_IS_TOKEN = re.compile(
    r"(?P<before>\bhttps?://)[^\s/?#@:]{1,4096}:(?:x-oauth-basic)?@(?!\S{0,4096}@)", re.IGNORECASE
)
"""The same with the empty or conventional password that servers want behind a token."""
_QUERY = re.compile(
    r"(?P<before>[?&;](?:sig|[^\s=&;#]*(?:password|passwd|pwd|secret|token|signature|credential"
    r"|(?:api|access)[_-]?key)[^\s=&;#]*)=)[^\s&;#'\"]+",
    re.IGNORECASE,
)
_SECRETS = r"(?:key|token|secret|passw|pwd|credential)"
_SECRET = re.compile(_SECRETS, re.IGNORECASE)
"""What the name of a variable has in it whose value is secret."""
_OVERRIDE = re.compile(
    rf"(?P<before>\bcluster\.env(?:\.[^\s=]*{_SECRETS}[^\s=]*)?=)"
    r"(?:\{[^}]*\}?|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s'\"]+)+",
    re.IGNORECASE,
)
"""On a command line; a whole mapping is hidden whatever its names."""
_SECTION = re.compile(r"^(?P<indent> *)env:\n(?:(?P=indent) +.*(?:\n|\Z)|\n)+", re.MULTILINE)
_ENTRY = re.compile(
    rf"^(?P<indent> +)(?P<name>[^\s:]*{_SECRETS}[^\s:]*: )(?!null$).*(?:\n(?P=indent) +.*)*",
    re.MULTILINE | re.IGNORECASE,
)
"""In a configuration that is printed as YAML."""


def is_secret(name: str) -> bool:
    """Whether a variable's value is not for people to see, by its name."""
    return _SECRET.search(name) is not None


def masked(text: str) -> str:
    """``text`` with ``***`` for the password of every URI and the secret variables in it; idempotent.

    Covers ``scheme://user:password@host``, ``http://token@host``, ``http://token:@host``, query parameters
    such as ``?password=…`` or ``&token=…``, and ``cluster.env``, as overrides and as YAML.
    """
    text = _OVERRIDE.sub(rf"\g<before>{MASK}", text)
    text = _SECTION.sub(lambda found: _ENTRY.sub(rf"\g<indent>\g<name>'{MASK}'", found[0]), text)
    hidden = _USER_IS_TOKEN.sub(rf"\g<before>{MASK}@", text)
    hidden = _USER_INFO.sub(rf"\g<before>{MASK}@", hidden)
    hidden = _TOKEN.sub(rf"\g<before>{MASK}@", hidden)
    return _QUERY.sub(rf"\g<before>{MASK}", hidden)


def has_password(uri: str) -> bool:
    """Whether ``uri`` holds a password that is not masked."""
    return masked(uri) != uri


def is_masked(uri: str) -> bool:
    """Whether a password was taken out of ``uri``, so that it cannot be used as it is."""
    return any(mark in uri for mark in (f":{MASK}@", f"://{MASK}@", f"={MASK}"))


def without_credentials(uri: str) -> str:
    """``uri`` without user and password: what two URIs of one place have in common."""
    bare = re.sub(r"^([a-z][a-z0-9+.-]*://)[^\s/?#@]*@", r"\1", masked(uri), flags=re.IGNORECASE)
    place, _, query = bare.partition("?")
    kept = [part for part in query.split("&") if part and not part.endswith(f"={MASK}")]
    return f"{place}?{'&'.join(kept)}" if kept else place


def masked_tree(value: Any) -> Any:
    """A configuration or another tree of plain data, every text in it :func:`masked`."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {key: masked_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_tree(item) for item in value]
    return value
