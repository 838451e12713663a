"""Whose fault an exception is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orchestrator.run.faults import of_the_machine, storage_failure
from orchestrator.run.room import require_room
from search_spaces import ConfigurationError

FULL = OSError(errno.ENOSPC, "No space left on device", "/runs/journal.jsonl")


class RemoteError(Exception):
    """Keeps what was raised in another process, as Ray's errors do."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("raised elsewhere")
        self.cause = cause


def raised_from(cause: Exception) -> Exception:
    try:
        raise RuntimeError("while saving") from cause
    except RuntimeError as error:
        return error


@pytest.mark.parametrize("error", [MemoryError(), FULL, RemoteError(FULL), raised_from(MemoryError())])
def test_lack_of_memory_or_space_is_the_machines_fault(error: Exception) -> None:
    assert of_the_machine(error)


@pytest.mark.parametrize(
    "error", [ValueError("x"), FileNotFoundError(errno.ENOENT, "x"), RemoteError(ValueError())]
)
def test_everything_else_is_not(error: Exception) -> None:
    assert not of_the_machine(error)
    assert storage_failure(error) == ""


@pytest.mark.parametrize(
    "error", [FULL, RemoteError(FULL), raised_from(FULL), RemoteError(raised_from(FULL))]
)
def test_a_full_disk_is_found_wherever_it_was_raised(error: Exception) -> None:
    assert storage_failure(error) == "No space left on device: /runs/journal.jsonl"


def test_lack_of_memory_is_no_failure_of_the_disk() -> None:
    assert storage_failure(MemoryError()) == ""


def test_how_much_room_there_is_is_said(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "journal.jsonl"))
    said = storage_failure(error)
    assert said.startswith(f"No space left on device: {tmp_path}/journal.jsonl (")
    assert said.endswith(f" MB free in {tmp_path})")


def test_a_folder_that_takes_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_room(tmp_path)
    assert list(tmp_path.iterdir()) == []

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match=r"^run\.dir: expected .* got 'No space left .* free in"):
        require_room(tmp_path)
    assert list(tmp_path.iterdir()) == []
