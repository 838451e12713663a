"""What is damaged on the disk is never believed: a resume finds all of it as it was, or says otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.snapshots.manifests import MANIFEST, Snapshot
from orchestrator.population.snapshots.resuming import ASIDE, refuse_left_behind, settle
from orchestrator.population.snapshots.snapshots import valid_snapshots
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, Journal, read_journal
from search_spaces import ConfigurationError
from tests.orchestrator.damage import LAST, flips, truncations
from tests.orchestrator.population.harness import Population

pytestmark = pytest.mark.damage

SMALL: dict[str, Any] = {"size": 3, "generations": 6, "snapshot_interval": 2, "islands": 1}


@dataclass(frozen=True)
class Resumed:
    """What a driver that goes on finds.

    Args:
        lines: what it says.
        lives: of each member, what it reached in its intervals.
        newest: the snapshot that the study goes on from.
        weights: the file of each member in it.
    """

    lines: list[str]
    lives: list[list[float]]
    newest: Snapshot
    weights: list[bytes]


def resumed(run: RunDirectory, told: list[Event] | None = None) -> Resumed:
    """What the driver's check does, as far as files are concerned.

    Args:
        told: what the journal holds, where that is known to be whole.
    """
    if told is None:
        with Journal(run.journal):
            told = read_journal(run.journal)
    if not told:
        refuse_left_behind(run)
    history = PopulationHistory.from_events(told)
    lines = settle(run, told, history, thorough=True)
    newest = valid_snapshots(run.snapshots)[0]
    lives = [[interval.losses[0] for interval in life] for life in history.lives]
    return Resumed(lines, lives, newest, [file.read_bytes() for file in newest.files])


@dataclass(frozen=True)
class Stopped:
    """A study that was stopped after its fifth generation, and what a resume finds without damage."""

    run: RunDirectory
    whole: Resumed
    older: Resumed


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    path = tmp_path_factory.mktemp("damage") / "run"
    Population(path, **SMALL).train(stop_after=4)
    whole = resumed(RunDirectory(path))
    assert whole.newest.path.name == "stopped-000012" and not whole.lines
    copy = path.with_name("older")
    shutil.copytree(path, copy)
    shutil.rmtree(copy / "snapshots" / "stopped-000012")
    older = resumed(RunDirectory(copy))
    assert older.newest.path.name == "000004"
    return Stopped(RunDirectory(path), whole, older)


@pytest.fixture
def run(stopped: Stopped, tmp_path: Path) -> RunDirectory:
    shutil.copytree(stopped.run.path, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def after(run: RunDirectory, file: Path, content: bytes, told: list[Event] | None = None) -> Resumed | str:
    """What a resume finds, or how it is refused, when a file holds ``content``; the run is as before then."""
    file.write_bytes(content)
    try:
        return resumed(run, told)
    except ConfigurationError as error:
        text = str(error)
        assert "\n" not in text and str(run.path) in text
        return text
    finally:
        for aside in run.snapshots.glob(f"*/{ASIDE}"):
            aside.rename(aside.with_name(MANIFEST))


NEWEST = "snapshots/stopped-000012"


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
@pytest.mark.parametrize("name", [f"{NEWEST}/{MANIFEST}", f"{NEWEST}/member-001.pt", "a best file"])
def test_a_damaged_newest_snapshot_gives_way_to_the_one_before(
    run: RunDirectory, stopped: Stopped, name: str, damage: str
) -> None:
    file = next((run.path / NEWEST).glob("best-*.pt")) if name == "a best file" else run.path / name
    content = file.read_bytes()
    file.unlink()  # it may be a hard link
    older, told = 0, read_journal(run.journal)
    tried = list(truncations(content) if damage == "truncated" else flips(content, 1))
    for damaged in tried:
        found = after(run, file, damaged, told)
        assert isinstance(found, Resumed), found
        if found.newest.path.name == "000004":
            older += 1
            assert len(found.lines) == 1 and found.lines[0].startswith(f"{NEWEST} cannot be trusted (")
            assert found.lives == stopped.older.lives and found.weights == stopped.older.weights
        else:
            assert not found.lines and found.weights == stopped.whole.weights
            assert found.lives == stopped.whole.lives
    assert older > 0.95 * (len(tried) if damage == "truncated" and len(content) > LAST else older)


@pytest.mark.parametrize("keep_older", [True, False])
def test_a_truncated_journal_is_one_of_a_study_that_was_killed_earlier(
    run: RunDirectory, stopped: Stopped, keep_older: bool
) -> None:
    if not keep_older:
        shutil.rmtree(run.snapshots / "000004")
    content = run.journal.read_bytes()
    outcomes = set()
    for damaged in truncations(content):
        found = after(run, run.journal, damaged)
        if isinstance(found, str):
            outcomes.add("refused")
            assert "of a longer, or of another, journal" in found
            continue
        outcomes.add(found.newest.path.name)
        reference = (
            stopped.whole if found.newest.path.name == stopped.whole.newest.path.name else stopped.older
        )
        assert found.weights == reference.weights and bool(found.lines) == (reference is stopped.older)
        for life, whole, trained in zip(
            found.lives, stopped.whole.lives, found.newest.generations, strict=True
        ):
            assert life == whole[: len(life)] and len(life) >= trained
    assert outcomes == ({"stopped-000012", "000004"} if keep_older else {"stopped-000012", "refused"})


def test_a_flipped_byte_in_a_journal_is_refused(run: RunDirectory, stopped: Stopped) -> None:
    content = run.journal.read_bytes()
    for damaged in flips(content, 2):
        found = after(run, run.journal, damaged)
        if isinstance(found, str):
            assert found.startswith(f"{run.journal}, line ")
        else:  # the end of the last line, which is then torn
            assert damaged[:-1] == content[:-1]


def drop(run: RunDirectory) -> None:
    (run.path / NEWEST / "member-001.pt").unlink()


def swap(run: RunDirectory) -> None:
    one, other = (run.path / NEWEST / f"member-{number:03d}.pt" for number in (1, 2))
    other.rename(run.path / "between")
    one.rename(other)
    (run.path / "between").rename(one)


def take_an_older_file(run: RunDirectory) -> None:
    shutil.copy(run.snapshots / "000004" / "member-001.pt", run.path / NEWEST / "member-001.pt")


def null_manifest(run: RunDirectory) -> None:
    (run.path / NEWEST / MANIFEST).write_text("null")


def deep_manifest(run: RunDirectory) -> None:
    (run.path / NEWEST / MANIFEST).write_text("[" * 100_000)


def wrong_generation(run: RunDirectory) -> None:
    file = run.path / NEWEST / MANIFEST
    file.write_text(json.dumps({**json.loads(file.read_text()), "generations": [5, 6, 5]}))


def another_run_s_snapshot(run: RunDirectory) -> None:
    Population(run.path / "other", **SMALL).train(stop_after=4)
    shutil.rmtree(run.path / NEWEST)
    shutil.copytree(run.path / "other" / NEWEST, run.path / NEWEST)


def no_manifest(run: RunDirectory) -> None:
    (run.path / NEWEST / MANIFEST).unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (drop, "member-001.pt: No such file or directory"),
        (swap, "member-001.pt is not the file that was saved there"),
        (take_an_older_file, "member-001.pt is not the file that was saved there"),
        (null_manifest, "manifest.json is damaged"),
        (deep_manifest, "manifest.json is damaged"),
        (wrong_generation, "manifest.json fails its checksum"),
        (another_run_s_snapshot, "it belongs to another run"),
        (no_manifest, "its manifest.json is missing"),
    ],
)
def test_what_is_wrong_with_a_snapshot_is_said_and_the_study_ends_as_it_would_have(
    run: RunDirectory, stopped: Stopped, damage: Callable[[RunDirectory], None], reason: str
) -> None:
    damage(run)
    found = resumed(run)
    assert found.weights == stopped.older.weights
    (line,) = found.lines
    assert line.startswith(f"{NEWEST} cannot be trusted ({reason}")
    assert line.endswith("); the study goes on from snapshots/000004")
    population = Population(run.path, **SMALL)
    assert population.evolution.generation(0) == 4
    assert population.train(conclude=True).finished
    undisturbed = Population(run.path / "undisturbed", **SMALL)
    undisturbed.train()
    assert np.array_equal(population.final_weights(), undisturbed.final_weights())
    assert resumed(run).lines == []


def test_without_a_snapshot_that_can_be_trusted_nothing_goes_on_or_changes(
    run: RunDirectory,
) -> None:
    swap(run)
    (run.snapshots / "000004" / "member-000.pt").write_bytes(b"")
    before = run.journal.read_bytes()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"-000012: expected a snapshot .* is not the file"):
            resumed(run)
    assert run.journal.read_bytes() == before


def test_a_snapshot_that_the_study_went_back_behind_is_not_taken_up_again(
    run: RunDirectory, stopped: Stopped
) -> None:
    manifest = (run.path / NEWEST / MANIFEST).read_text()
    null_manifest(run)
    resumed(run)
    Population(run.path, **SMALL).coordinator.close()
    (run.path / NEWEST / MANIFEST).write_text(manifest)
    found = resumed(run)
    assert found.newest.path.name == "000004"
    assert "the journal does not have all intervals" in found.lines[0]


def test_snapshots_without_a_journal_are_refused(run: RunDirectory) -> None:
    run.journal.write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"expected no snapshots without the journal\.jsonl"):
        resumed(run)


def test_stray_files_and_folders_among_snapshots_disturb_nobody(run: RunDirectory, stopped: Stopped) -> None:
    for place in (run.snapshots, run.path / NEWEST):
        (place / ".DS_Store").write_bytes(b"\x00")
        (place / "best-of-all.pt").write_bytes(b"mine")
        (place / "notes").mkdir()
        (place / "notes" / MANIFEST).write_text("null")
    (run.snapshots / "000002.bak").mkdir()
    assert resumed(run).lines == []
    population = Population(run.path, **SMALL)
    assert population.train(conclude=True).finished
    assert (run.snapshots / "notes").exists() and (run.snapshots / "000002.bak").exists()


def test_snapshots_of_an_earlier_version_are_taken_up(run: RunDirectory, stopped: Stopped) -> None:
    file = run.path / NEWEST / MANIFEST
    old = {
        key: json.loads(file.read_text())[key] for key in ("generations", "bytes", "best", "archive", "empty")
    }
    file.write_text(json.dumps(old))
    found = resumed(run)
    assert not found.lines and found.weights == stopped.whole.weights
