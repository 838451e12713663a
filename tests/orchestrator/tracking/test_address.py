"""Tracking URIs that cannot be used are refused in seconds and in one line."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from orchestrator.tracking import address
from search_spaces import ConfigurationError


def test_sqlite_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address.absolute("sqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"
    assert address.absolute("sqlite:////data/mlflow.db?timeout=9") == "sqlite:////data/mlflow.db?timeout=9"
    assert address.absolute("http://host:5000") == "http://host:5000"


@pytest.mark.parametrize("name", ["a b", "a%20b", "a?b", "a#b", "é&=;+"])
def test_a_folder_of_any_name_is_escaped_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    uri = address.absolute("sqlite:///mlflow.db")
    assert not {*"?#"} & {*uri}
    assert address.sqlite_file(uri) == tmp_path / name / "mlflow.db"
    assert address.absolute(uri) == uri


def test_a_database_is_made_once_while_others_wait(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    made: list[Path] = []
    path.touch()  # as check_writable leaves it

    def make() -> None:
        with address.making(path) as place:
            if place is not None:
                made.append(place)
                time.sleep(0.2)
                assert path.stat().st_size == 0, "it appears whole or not at all"
                place.write_text("complete")

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and path.read_text() == "complete"
    assert list(tmp_path.iterdir()) == [path]


def test_a_database_that_could_not_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with pytest.raises(RuntimeError), address.making(path) as place:
        assert place is not None
        place.write_text("half")
        raise RuntimeError("killed")
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_makes_it_for_ever_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "MAKING_SECONDS", 0.1)
    path = tmp_path / "mlflow.db"
    with address.making(path) as place:
        assert place is not None
        place.write_text("complete")
        with (
            pytest.raises(ConfigurationError, match=r"tracking\.uri: .* does not take long"),
            address.making(path),
        ):
            raise AssertionError("unreachable")


@pytest.mark.parametrize(
    "uri",
    [
        "http://[x",
        "sqlite:///~nobody-at-all/x",
        "",
        "mlruns",
        "file:///mlruns",
        "ftp://host",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_what_is_no_server_and_no_database_file_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^tracking\.uri: expected"):
        address.absolute(uri)


def test_a_database_that_can_be_written_is_accepted_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mlflow.db"
    address.check_writable("sqlite:///mlflow.db", path)
    assert path.exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"tracking\.uri: .* sqlite database that can be written"):
        address.check_writable("sqlite:///…", tmp_path / "file" / "mlflow.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("something else " * 100)
    with pytest.raises(ConfigurationError, match="not a database"):
        address.check_writable("sqlite:///…", tmp_path / "mlflow.db")


def test_a_locked_database_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SECONDS", 0.1)
    other = sqlite3.connect(tmp_path / "mlflow.db")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ConfigurationError, match="locked"):
        address.check_writable("sqlite:///…", tmp_path / "mlflow.db")
    other.close()


def test_a_probe_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SECONDS", 0.1)
    with pytest.raises(ConfigurationError, match="no answer in"):
        address.within_seconds("http://host", lambda: time.sleep(5))


def test_a_refused_connection_is_told_in_one_line_without_the_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://me:secret@127.0.0.1:{port}"
    with pytest.raises(ConfigurationError) as raised:
        address.within_seconds(uri, lambda: socket.create_connection(("127.0.0.1", port)))
    assert "refused" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)
