"""One run directory has one driver: the second is refused, and after a crash the next is let in."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.cli import new_run
from orchestrator.cli.new_run import start_run
from orchestrator.run.journal import Journal, read_journal
from search_spaces import ConfigurationError
from tests.conftest import composed

NOW = datetime(2026, 1, 1)


@contextmanager
def another_driver(journal: Path) -> Iterator[int]:
    """The number of a process that writes the journal, until it is killed."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            writer = Journal(journal)
            writer.append({"event": "start", "by": "another"})
            os.write(told, b".")
            signal.pause()
        finally:
            os._exit(1)
    os.read(ready, 1)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(told)


def test_the_second_is_refused_and_changes_nothing_and_after_a_crash_the_next_goes_on(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    with another_driver(journal):
        before = journal.read_bytes()
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"run\.dir: expected a run that no other process"):
                Journal(journal)
        assert journal.read_bytes() == before
    with Journal(journal) as writer:
        writer.append({"event": "stopped"})
    assert [event["event"] for event in read_journal(journal)] == ["start", "stopped"]


def test_runs_that_start_in_the_same_second_have_directories_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = composed("+study=pbt_toy", "tracking=none")
    paths = {start_run(config, NOW)[0].directory.path for _ in range(3)}
    assert len(paths) == 3
    assert {path.parent for path in paths} == {tmp_path / "runs" / "pbt_toy"}


def test_of_two_that_start_in_one_directory_the_second_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where neither sees the other's files when it looks."""
    config = composed("+study=pbt_toy", "tracking=none", f"run.dir={tmp_path}/run")
    first, _ = start_run(config, NOW)
    kept = first.directory.config.read_bytes()
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with pytest.raises(ConfigurationError, match=r"run\.dir: expected a directory without a run"):
        start_run(config, NOW)
    assert first.directory.config.read_bytes() == kept


def test_a_run_whose_configuration_cannot_be_written_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = composed("+study=pbt_toy", "tracking=none")
    first, _ = start_run(config, NOW)

    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(new_run, "keep_config", full)
    with pytest.raises(ConfigurationError, match=r"run\.dir: expected a directory that can be written"):
        start_run(config, NOW)
    assert [*first.directory.path.parent.iterdir()] == [first.directory.path]
