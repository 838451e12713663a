"""Names and texts as MLflow takes them: cleaned, and still as different as they were."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from hashlib import sha256
from itertools import chain, count

LONGEST_NAME = 250
"""MLflow's limit, in characters."""

_ALLOWED = re.compile(r"[/\w.\- :]+")
_REFUSED = re.compile(r"[^/\w.\- :]")
_MARKED = re.compile(r"-x[0-9a-f]{6}$")
_MARK_LENGTH = len("-x123456")


def clean_name(name: str) -> str:
    """``name`` where MLflow takes it; else what is readable of it and a mark made from the whole.

    Two names never become one: ``AR_1`` stays, and ``AR@1`` becomes ``AR_1-x`` and six hexadecimal digits. A
    name that looks marked already gets a mark of its own.
    """
    if _is_valid(name) and not _MARKED.search(name):
        return name
    parts = [part for part in _REFUSED.sub("_", name).split("/") if part.strip(".")]
    readable = "/".join(parts).lstrip(".")[: LONGEST_NAME - _MARK_LENGTH] or "unnamed"
    return f"{readable}-x{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def clean_text(text: str, longest: int) -> str:
    """``text`` without what databases refuse (halves of characters, NUL), cut to ``longest`` characters."""
    storable = text.encode("utf-8", "replace").decode().replace("\0", "�")
    return storable if len(storable) <= longest else storable[: longest - 1] + "…"


def column_names(names: Iterable[str]) -> list[str]:
    """``names`` with slashes for dots, numbered where that makes two alike."""
    columns: list[str] = []
    for name in names:
        plain = name.replace(".", "/")
        others = (f"{plain} ({number})" for number in count(2))
        columns.append(next(one for one in chain([plain], others) if one not in columns))
    return columns


def _is_valid(name: str) -> bool:
    """Whether MLflow takes ``name``: it must also be a path that stays as it is and leads inside."""
    return (
        len(name) <= LONGEST_NAME
        and _ALLOWED.fullmatch(name) is not None
        and posixpath.normpath(name) == name
        and name != "."
        and not name.startswith(("/", ".."))
    )
