"""Makes a sqlite database take a study's many small transactions without a wait for the disk at each.

MLflow commits five times for a trial, and by default sqlite waits for the disk two or three times at each
commit. In write-ahead mode it need not: a crash of the machine can take the last commits along, but never
damages the database. :func:`sync` waits once for all of them, before it is written down that they are there.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

LOCAL = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""File systems that one machine alone sees; on those that several share, write-ahead mode does not work."""


def write_ahead(path: Path) -> None:
    """Let a database that nobody uses yet be in write-ahead mode from now on, if its file system can that."""
    if file_system(path) in LOCAL:
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode=WAL")


def commit_fast(path: Path) -> None:
    """Let this process's connections to the database not wait for the disk, where it is in write-ahead mode.

    To be called before the first of them; those of other processes are as they were.
    """
    import sqlalchemy

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "connect", _opened(str(path.resolve())))


@cache
def _opened(path: str) -> Callable[[Any, Any], None]:
    """The same for one path always, so that it listens once."""

    def opened(connection: Any, record: Any) -> None:  # noqa: ARG001 - as SQLAlchemy calls it
        if isinstance(connection, sqlite3.Connection):
            files = [file for _, name, file in connection.execute("PRAGMA database_list") if name == "main"]
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if files == [path] and mode == "wal":
                connection.execute("PRAGMA synchronous=NORMAL")

    return opened


def sync(path: Path) -> None:
    """Wait until all that has been committed is on the disk."""
    # Besides its log, sqlite writes to the database alone, and waits for that itself.
    with suppress(FileNotFoundError), path.with_name(f"{path.name}-wal").open("rb") as log:
        os.fsync(log.fileno())


def file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of file system that a path is on, as Linux calls it; empty where that is not known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    resolved, kind, longest = path.resolve(), "", -1
    for line in lines:
        _, folder, name, *_ = line.split(" ")
        # Blanks and backslashes in a folder's name are octal escapes there.
        place = Path(folder.encode().decode("unicode_escape"))
        if resolved.is_relative_to(place) and len(place.parts) >= longest:
            kind, longest = name, len(place.parts)
    return kind
