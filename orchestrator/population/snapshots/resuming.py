"""Which snapshot a resumed study goes on from: the newest that is as it was written and in the journal.

A snapshot that cannot be trusted is set aside, and the study goes on from the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.snapshots.manifests import (
    MANIFEST,
    STOPPED,
    DamagedSnapshotError,
    Snapshot,
    folders,
    read_manifest,
)
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, positions
from orchestrator.run.journal_lines import Position
from search_spaces import ConfigurationError
from workloads.state_files import check_state_file

ASIDE = f"{MANIFEST}.refused"
"""The manifest of a snapshot that was set aside; without its manifest it is none."""


@dataclass(frozen=True)
class Refused:
    """A snapshot that cannot be trusted.

    Args:
        folder: its folder.
        reason: what is wrong with it.
    """

    folder: Path
    reason: str


def settle(
    run: RunDirectory, past: Sequence[Event], history: PopulationHistory, *, thorough: bool
) -> list[str]:
    """Set snapshots aside that cannot be trusted, where one before them can; returns what people should know.

    Args:
        past: the journal's events.
        history: what they tell.
        thorough: whether all files are read, too.

    Raises:
        ConfigurationError: there are snapshots, but none can be trusted; nothing has been changed.
    """
    newest, refused = _examine(run, past, history, positions(run.journal), thorough)
    if newest is None and refused:
        if history.final is not None and not folders(run.snapshots):
            return []  # complete, and its snapshots were deleted since
        worst = refused[0]
        raise ConfigurationError(
            str(worst.folder),
            "a snapshot that is as it was written, or one before it that is",
            worst.reason,
            "restore it from a copy; without it the study can only be started anew",
        )
    lines = []
    for one in refused:
        assert newest is not None
        if _trained(one.folder, len(newest.generations)) > sum(newest.generations):
            name, before = (path.relative_to(run.path) for path in (one.folder, newest.path))
            lines.append(f"{name} cannot be trusted ({one.reason}); the study goes on from {before}")
            if (one.folder / MANIFEST).exists():
                (one.folder / MANIFEST).replace(one.folder / ASIDE)
    return lines


def refuse_left_behind(run: RunDirectory) -> None:
    """Refuse snapshots beside a journal that has not begun: nobody knows what they belong to.

    Raises:
        ConfigurationError: there are some.
    """
    for folder in folders(run.snapshots):
        if (folder / MANIFEST).exists():
            expected = f"no snapshots without the {run.journal.name} that they belong to"
            raise ConfigurationError(str(run.path), expected, str(folder), "restore it, or delete them")


def may_go_on(run: RunDirectory, past: Sequence[Event], known: Sequence[Position]) -> bool:
    """Whether a study could go on from a journal: from a snapshot, or from its birth where it has had none.

    Args:
        past: the journal's events.
        known: where it is after each.
    """
    newest, refused = _examine(run, past, PopulationHistory.from_events(past), known, thorough=True)
    return newest is not None or not refused


def _examine(
    run: RunDirectory,
    past: Sequence[Event],
    history: PopulationHistory,
    known: Sequence[Position],
    thorough: bool,
) -> tuple[Snapshot | None, list[Refused]]:
    """The newest snapshot that can be trusted, and those that cannot, the newest first."""
    found, refused = [], []
    size = history.start.size
    named = [folder for folder in folders(run.snapshots) if (folder / MANIFEST).exists()]
    for folder in sorted(named, key=lambda folder: _trained(folder, size), reverse=True):
        try:
            found.append(read_manifest(folder))
        except DamagedSnapshotError as error:
            refused.append(Refused(folder, str(error)))
    told = [event["path"] for event in past if event["event"] == "snapshot"][-1:]
    refused += [
        Refused(run.path / path, f"its {MANIFEST} is missing")
        for path in told
        if run.path / path not in named
    ]
    for snapshot in sorted(found, key=lambda one: sum(one.generations), reverse=True):
        problem = _contradiction(snapshot, past, history, known) or (_damage(snapshot) if thorough else "")
        if not problem:
            return snapshot, refused
        refused.append(Refused(snapshot.path, problem))
    return None, sorted(refused, key=lambda one: _trained(one.folder, size), reverse=True)


def _contradiction(
    snapshot: Snapshot, past: Sequence[Event], history: PopulationHistory, known: Sequence[Position]
) -> str:
    """Why a snapshot cannot be one of the journal's; empty where it can."""
    start, position = history.start, snapshot.position or Position()
    if len(snapshot.generations) != start.size or max(snapshot.generations) > start.generations:
        return "it is of another population"
    if position.run and known and known[-1].run != position.run:
        return f"it belongs to another run ({position.run})"
    if position.run and position not in known[position.line - 1 : position.line]:
        return f"it builds upon line {position.line} of a longer, or of another, journal"
    if _ahead(snapshot, [len(life) for life in history.lives]):
        return "the journal does not have all intervals that it builds upon"
    later = past[position.line :] if position.run else ()
    if any(_ahead(snapshot, event["generations"]) for event in later if event["event"] == "resume"):
        return "the study went back behind it later"
    return ""


def _ahead(snapshot: Snapshot, generations: Sequence[int]) -> bool:
    """Whether a member had trained longer than these generations when it was saved."""
    return any(one > kept for one, kept in zip(snapshot.generations, generations, strict=True))


def _damage(snapshot: Snapshot) -> str:
    """What is wrong with a snapshot's files; empty where they are as they were written."""
    names = snapshot.checksums or {file.name: None for file in snapshot.files}
    for name, checksum in names.items():
        file = snapshot.path / name
        try:
            if checksum is not None or snapshot.checksums is None:
                check_state_file(file, checksum)
        except OSError as error:
            return f"{name}: {error.strerror or error}"
        except ValueError as error:
            return str(error).removeprefix(f"{snapshot.path}/")
    return ""


def _trained(folder: Path, size: int) -> int:
    """About how many intervals members had trained in all when they were saved to a folder."""
    if folder.name.startswith(STOPPED):
        # When they were asked to stop; at least one trained on.
        return int(folder.name.removeprefix(STOPPED)) + 1
    return int(folder.name) * size
