"""When a database's commits wait for the disk, and that nothing is lost by it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from orchestrator.tracking import sqlite

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/fast\\040disk xfs rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
"""
NORMAL, FULL = 1, 2


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/tmp/mlflow.db", "ext4"),
        ("/home/me/mlflow.db", "nfs4"),
        ("/home/me/fast disk/mlflow.db", "xfs"),
        ("/homes/mlflow.db", "ext4"),
        ("/dev/shm/a/b", "tmpfs"),
    ],
)
def test_a_path_is_on_the_innermost_mount(path: str, kind: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert sqlite.file_system(Path(path), mounts) == kind
    assert sqlite.file_system(Path(path), tmp_path / "missing") == ""


def made(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE things (thing)")
    return path


def mode(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return str(database.execute("PRAGMA journal_mode").fetchone()[0])


def waits(path: Path) -> int:
    """What SQLAlchemy's connections have for ``synchronous``."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        return int(connection.execute(sqlalchemy.text("PRAGMA synchronous")).scalar_one())


@pytest.mark.parametrize("kind, expected", [("ext4", "wal"), ("nfs4", "delete"), ("", "delete")])
def test_a_file_system_that_machines_may_share_keeps_the_usual_mode(
    kind: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "file_system", lambda _: kind)
    path = made(tmp_path / "mlflow.db")
    sqlite.write_ahead(path)
    assert mode(path) == expected


def test_only_the_database_in_write_ahead_mode_that_is_named_is_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "file_system", lambda _: "ext4")
    ours, theirs, usual = (made(tmp_path / name) for name in ("ours", "theirs", "usual"))
    sqlite.write_ahead(ours)
    sqlite.write_ahead(theirs)
    for path in (ours, usual, ours):
        sqlite.commit_fast(path)
    assert [waits(path) for path in (ours, theirs, usual)] == [NORMAL, FULL, FULL]


def test_what_was_committed_is_on_the_disk_after_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "file_system", lambda _: "ext4")
    path, synced = made(tmp_path / "ours"), list[str]()

    def fsync(number: int) -> None:
        synced.append(Path(f"/proc/self/fd/{number}").readlink().name)

    monkeypatch.setattr("os.fsync", fsync)
    sqlite.sync(path)
    assert synced == [], "nothing is waiting"
    sqlite.write_ahead(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO things VALUES (1)")
        database.commit()
        sqlite.sync(path)
    assert synced == ["ours-wal"]
