"""A disk that takes nothing more ends a population in one line; with room again it ends as it would have."""

from __future__ import annotations

import asyncio
import errno
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.island import island as island_module
from orchestrator.population.snapshots import manifests
from orchestrator.population.snapshots.resuming import settle
from orchestrator.run.journal import read_journal
from tests.orchestrator.population.harness import Population
from workloads.state_files import save_state

SMALL: dict[str, Any] = {"size": 3, "generations": 6, "snapshot_interval": 2, "islands": 1}
FULL = OSError(errno.ENOSPC, "No space left on device")
QUOTA = OSError(errno.EDQUOT, "Disk quota exceeded")


class Room:
    """How many files, or lines, the disk takes until it is full."""

    left = 1_000_000

    def take(self, error: OSError) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(error.errno, error.strerror)


class LimitedFile(io.FileIO):
    room: Room

    def write(self, content: Any) -> int:
        self.room.take(FULL)
        return super().write(bytes(content))


@pytest.fixture
def undisturbed(tmp_path: Path) -> list[np.ndarray]:
    population = Population(tmp_path / "undisturbed", **SMALL)
    population.train()
    return population.final_weights()


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room()

    def saved(path: Path, state: Any) -> None:
        room.take(QUOTA)
        save_state(path, state)

    monkeypatch.setattr(island_module, "save_state", saved)
    yield room
    room.left = 1_000_000


def goes_on(path: Path, undisturbed: list[np.ndarray]) -> None:
    journal = path / "journal.jsonl"
    past = read_journal(journal)
    again = Population(path, **SMALL)
    assert settle(again.run, past, PopulationHistory.from_events(past), thorough=True) == []
    assert again.train(conclude=True).finished
    assert np.array_equal(again.final_weights(), undisturbed)


@pytest.mark.parametrize("lines", [0, 1, 3])
@pytest.mark.parametrize("synchronous", [True, False])
def test_a_journal_without_room_ends_the_study(
    tmp_path: Path, undisturbed: list[np.ndarray], lines: int, synchronous: bool
) -> None:
    population = Population(tmp_path / "run", **{**SMALL, "synchronous": synchronous})
    journal = population.coordinator._journal
    journal._file.close()
    journal._file = file = LimitedFile(population.run.journal, "a+")
    file.room = Room()
    file.room.left = lines
    outcome = population.train()
    assert outcome.failure is not None and not outcome.finished
    assert outcome.failure.startswith(
        f"nothing more can be written: No space left on device: {population.run.journal} ("
    )
    assert outcome.failure.endswith(f" MB free in {population.run.path})") and "\n" not in outcome.failure
    if synchronous:
        goes_on(population.run.path, undisturbed)


@pytest.mark.parametrize("files", [0, 2, 4])
def test_members_without_room_end_the_study(
    tmp_path: Path, undisturbed: list[np.ndarray], room: Room, files: int
) -> None:
    room.left = files
    population = Population(tmp_path / "run", **SMALL)
    outcome = population.train()
    assert outcome.failure is not None
    assert outcome.failure.startswith("members cannot be saved: Disk quota exceeded in ")
    room.left = 1_000_000
    goes_on(population.run.path, undisturbed)


def test_a_manifest_without_room_ends_the_study(
    tmp_path: Path, undisturbed: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    population = Population(tmp_path / "run", **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(manifests, "sync_folder", full)
        outcome = population.train()
    assert outcome.failure is not None and "No space left on device" in outcome.failure
    goes_on(population.run.path, undisturbed)


def test_a_study_that_ends_without_room_ends_nevertheless(tmp_path: Path) -> None:
    population = Population(tmp_path, **SMALL)
    journal = population.coordinator._journal
    journal._file.close()
    journal._file = file = LimitedFile(population.run.journal, "a+")
    file.room = Room()
    file.room.left = 0
    asyncio.run(population.coordinator.halt("no room"))
    population.coordinator.close()
