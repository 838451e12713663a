"""Tracking URIs: which are understood, and whether what they name can be used, found out in seconds."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from orchestrator.config.passwords import masked
from search_spaces import ConfigurationError

KEY = "tracking.uri"
SECONDS = 10.0
"""How long a server may take to answer before it counts as unreachable."""

MAKING_SECONDS = 180.0
"""How long another process may take to make a database; MLflow needs seconds, on a busy machine more."""

SERVERS = ("http", "https", "databricks")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def absolute(uri: str) -> str:
    """``uri`` with the path of a sqlite file made absolute, so that it means the same from every folder.

    Raises:
        ConfigurationError: it names neither a server nor a database.
    """
    scheme = _scheme(uri).partition("+")[0]
    if scheme not in SERVERS + DATABASES:
        expected = "an MLflow tracking URI (http://host:port, sqlite:///file.db, postgresql://…) or null"
        hint = "MLflow no longer keeps records in plain folders; sqlite:///mlflow.db needs no server"
        raise ConfigurationError(KEY, expected, uri, hint if scheme in ("", "file") else "")
    path = sqlite_file(uri)
    return uri if path is None else f"{uri.partition(':')[0]}:///{escaped(path)}{_query(uri)}"


def escaped(path: Path) -> str:
    """A path as part of a URI: what would end it there, or change its meaning, is escaped."""
    return re.sub("[%?#]", lambda found: f"%{ord(found[0]):02X}", str(path))


def sqlite_file(uri: str) -> Path | None:
    """The absolute path of a sqlite database; None for everything else.

    Raises:
        ConfigurationError: a database in memory, which would be lost with the process.
    """
    if not _scheme(uri).startswith("sqlite"):
        return None
    _, slashes, path = uri.partition(":///")
    path = path.partition("?")[0]
    if not slashes or path in ("", ":memory:"):
        raise ConfigurationError(KEY, "sqlite:/// and the path of a file", uri)
    try:
        return Path(unquote(path)).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigurationError(KEY, "~ or ~user with a home directory", uri) from error


def check_writable(uri: str, path: Path) -> None:
    """Make sure that a sqlite database can be written; makes its folder and an empty file if needed.

    MLflow itself would try again for minutes.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, timeout=SECONDS / 2)
        try:
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
        finally:
            database.close()
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(KEY, "a sqlite database that can be written", uri, str(error)) from error


@contextmanager
def making(path: Path) -> Iterator[Path | None]:
    """Where to make a sqlite database that is missing or empty: a file that then takes its place whole.

    One process makes it, and others that want it meanwhile wait. None where there is nothing to make. MLflow
    itself leaves a database that nobody can use where two processes make it at once, or one is killed.

    Raises:
        ConfigurationError: another process takes too long, or the folder cannot be written.
    """
    if _is_made(path):
        yield None
        return
    lock = path.with_name(f".{path.name}.lock")
    try:
        with lock.open("a") as file:
            _wait(file, path)
            if _is_made(path):
                yield None
                return
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                yield temporary
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)  # whoever comes later finds a database
    except OSError as error:
        raise ConfigurationError(KEY, "a folder that can be written", str(path), str(error)) from error


def _is_made(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _wait(file: IO[str], path: Path) -> None:
    deadline = time.monotonic() + MAKING_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                expected = "a database that another process does not take long to make"
                raise ConfigurationError(KEY, expected, str(path)) from None
            time.sleep(0.05)
        else:
            return


def within_seconds(uri: str, probe: Callable[[], object]) -> None:
    """Run ``probe`` and wait no longer than ``SECONDS`` for it.

    Raises:
        ConfigurationError: it raised or took longer.
    """
    outcome: list[BaseException | None] = []

    def attempt() -> None:
        try:
            probe()
            outcome.append(None)
        except Exception as error:  # noqa: BLE001 - whatever a database driver or server raises is shown
            outcome.append(error)

    # A daemon: a thread that hangs on a dead server must not keep the program alive.
    thread = threading.Thread(target=attempt, name="mlflow-probe", daemon=True)
    thread.start()
    thread.join(SECONDS)
    error = outcome[0] if outcome else TimeoutError(f"no answer in {SECONDS:.0f} seconds")
    if error is not None:
        raise unusable(uri, error) from error


def unusable(uri: str, error: BaseException) -> ConfigurationError:
    """The error for a server or a database that is not there or refuses."""
    expected = "an MLflow server or database that answers"
    return ConfigurationError(KEY, expected, masked(uri), in_one_line(error))


def in_one_line(error: BaseException) -> str:
    """The first line of an error's message, no passwords; for a failed connection, what the socket said."""
    root = error
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    told = root if isinstance(root, OSError) else error
    lines = str(told).strip().splitlines()
    return masked(lines[0])[:300] if lines else type(told).__name__


def _scheme(uri: str) -> str:
    try:
        return urlsplit(uri).scheme
    except ValueError as error:  # such as brackets around what is no IPv6 address
        raise ConfigurationError(KEY, "a URI", uri, str(error)) from error


def _query(uri: str) -> str:
    _, mark, query = uri.partition("?")
    return mark + query
