"""Whose fault an exception is: what was computed, or the machine that computed it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

_STORAGE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE})
_MACHINE = _STORAGE | {errno.ENOMEM, errno.EMFILE, errno.ENFILE}


def of_the_machine(error: BaseException) -> bool:
    """Whether the machine had no room for what was computed: memory, disk space or open files.

    The same computation may succeed elsewhere or later. A GPU that is too small for a configuration is not
    meant: torch's ``OutOfMemoryError`` is the configuration's fault.
    """
    return any(
        isinstance(link, MemoryError) or (isinstance(link, OSError) and link.errno in _MACHINE)
        for link in _chain(error)
    )


def storage_failure(error: BaseException) -> str:
    """Why the disk took nothing more, where that is what ``error`` comes from; else an empty text.

    Names the file and how much room its folder has, where that is known.
    """
    failures = (link for link in _chain(error) if isinstance(link, OSError) and link.errno in _STORAGE)
    first = next(failures, None)
    if first is None:
        return ""
    reason = first.strerror or str(first)
    return f"{reason}: {first.filename}{room_for(Path(first.filename))}" if first.filename else reason


def room_for(path: Path) -> str:
    """How much room there is where ``path`` lies, in brackets; empty where that is unknown."""
    try:
        free = shutil.disk_usage(path.parent).free if path.is_absolute() else None
    except OSError:
        return ""
    return "" if free is None else f" ({free / 1e6:.1f} MB free in {path.parent})"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from, also in another process (Ray keeps that as ``cause``)."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        link = waiting.pop()
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            waiting += [link.__context__, link.__cause__, getattr(link, "cause", None)]
