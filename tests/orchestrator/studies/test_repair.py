"""A damaged journal is repaired where the study can go on without what is lost, and not touched elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.snapshots.resuming import settle
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, Journal, JournalError, read_journal
from orchestrator.run.soundness import first_problem
from orchestrator.studies.repair import JUDGES, repair
from search_spaces import ConfigurationError
from tests.orchestrator.benchmark_journals import BenchmarkJournal
from tests.orchestrator.population.harness import Population
from tests.orchestrator.search_journals import SearchJournal

SMALL: dict[str, Any] = {"size": 3, "generations": 6, "snapshot_interval": 2, "islands": 1}


def lines_of(run: RunDirectory) -> list[bytes]:
    return run.journal.read_bytes().splitlines(keepends=True)


def write(run: RunDirectory, *lines: bytes) -> None:
    run.journal.write_bytes(b"".join(lines))


def flipped(line: bytes) -> bytes:
    middle = len(line) // 2
    return line[:middle] + bytes([line[middle] ^ 1]) + line[middle + 1 :]


def line_of(run: RunDirectory, kind: str, nth: int = 0) -> int:
    """The index of the ``nth`` line about such an event."""
    return [number for number, event in enumerate(read_journal(run.journal)) if event["event"] == kind][nth]


@pytest.fixture
def search(tmp_path: Path) -> RunDirectory:
    SearchJournal(trials=5, rungs=(1, 3), concurrency=1).write(tmp_path)
    return RunDirectory(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repair")
    Population(path, **SMALL).train(stop_after=4)
    return path


@pytest.fixture
def population(made: Path, tmp_path: Path) -> RunDirectory:
    import shutil

    shutil.copytree(made, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def double(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], lines[3], *lines[4:]]


def swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[4], lines[3], *lines[5:]]


def mix(lines: list[bytes]) -> list[bytes]:
    foreign = lines[3].replace(lines[3][8:18], b"9 01234567")
    return [*lines[:4], foreign, *lines[4:]]


def tear(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], b"", b"\n", *lines[4:]]


@pytest.mark.parametrize("damage", [double, swap, mix, tear])
@pytest.mark.parametrize("kind", ["population", "search"])
def test_what_stands_twice_elsewhere_or_between_costs_nothing(
    request: pytest.FixtureRequest, kind: str, damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    run: RunDirectory = request.getfixturevalue(kind)
    before = lines_of(run)
    write(run, *damage(before))
    damaged = run.journal.read_bytes()
    (said,) = repair(kind, run)
    assert "no other line is lost" in said and "journal.jsonl.damaged-1" in said
    assert lines_of(run)[:-1] == before
    assert run.journal.with_name("journal.jsonl.damaged-1").read_bytes() == damaged
    assert repair(kind, run) == ["the journal needs no repair"]


def test_a_search_goes_on_without_a_report(search: RunDirectory) -> None:
    events, number = read_journal(search.journal), line_of(search, "report", 3)
    lines = lines_of(search)
    write(search, *lines[:number], flipped(lines[number]), *lines[number + 1 :])
    (said,) = repair("search", search)
    assert said.startswith(
        f"the journal was repaired: line {number + 1} is damaged; the study goes on without"
    )
    assert read_journal(search.journal)[:-1] == [*events[:number], *events[number + 1 :]]


def test_a_search_trains_a_trial_again_whose_end_is_lost(search: RunDirectory) -> None:
    number = line_of(search, "ended", 2)
    lines = lines_of(search)
    write(search, *lines[:number], *lines[number + 1 :])
    (said,) = repair("search", search)
    assert f"lines before line {number + 2} are missing; the study goes on without them" in said
    ended = [event["trial"] for event in read_journal(search.journal) if event["event"] == "ended"]
    assert ended == [0, 1, 3, 4]


def test_a_search_that_lost_a_suggestion_goes_back_before_it(search: RunDirectory) -> None:
    events, number = read_journal(search.journal), line_of(search, "suggested", 2)
    lines = lines_of(search)
    write(search, *lines[:number], flipped(lines[number]), *lines[number + 1 :])
    (said,) = repair("search", search)
    assert f"line {number + 1} is damaged; all from line {number + 1} on is lost" in said
    assert read_journal(search.journal)[:-1] == events[:number]


@pytest.mark.parametrize("step", range(3))
def test_a_population_goes_back_to_a_snapshot_before_the_damage_or_the_repair_is_refused(
    population: RunDirectory, step: int
) -> None:
    lines = lines_of(population)
    outcomes: set[str] = set()
    for number in range(step, len(lines), 3):
        write(population, *lines[:number], flipped(lines[number]), *lines[number + 1 :])
        damaged = population.journal.read_bytes()
        try:
            (said,) = repair("population", population)
        except JournalError as error:
            assert "\n" not in str(error) and f"{population.journal}, line {number + 1}: " in str(error)
            assert population.journal.read_bytes() == damaged
            outcomes.add("refused")
            continue
        assert f"line {number + 1} is damaged; " in said
        events = read_journal(population.journal)
        assert len(events) == number + 1
        history = PopulationHistory.from_events(events)
        for aside in population.snapshots.glob("*/manifest.json.refused"):
            aside.rename(aside.with_name("manifest.json"))
        settle(population, events, history, thorough=True)
        outcomes.add("repaired")
    assert outcomes == {"refused", "repaired"}


def test_a_repaired_population_ends_as_it_would_have(population: RunDirectory, tmp_path: Path) -> None:
    number = line_of(population, "interval", -2)
    lines = lines_of(population)
    write(population, *lines[:number], flipped(lines[number]), *lines[number + 1 :])
    repair("population", population)
    events = read_journal(population.journal)
    (line,) = settle(population, events, PopulationHistory.from_events(events), thorough=True)
    assert line.endswith("the study goes on from snapshots/000004")
    repaired, undisturbed = Population(population.path, **SMALL), Population(tmp_path / "other", **SMALL)
    assert repaired.train().finished and undisturbed.train().finished
    assert np.array_equal(repaired.final_weights(), undisturbed.final_weights())


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_benchmark_needs_no_line_since_its_results_are_stored(tmp_path: Path, number: int) -> None:
    run = RunDirectory(tmp_path)
    BenchmarkJournal().write(tmp_path)
    lines = lines_of(run)
    write(run, *lines[:number], flipped(lines[number]), *lines[number + 1 :])
    (said,) = repair("benchmark", run)
    assert said.startswith("the journal began anew" if number == 0 else "the journal was repaired")
    assert first_problem(read_journal(run.journal), JUDGES["benchmark"]()) is None


def old(events: list[Event]) -> bytes:
    import json

    return b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in events)


def test_an_earlier_version_s_journal_is_cut_before_its_damage(search: RunDirectory) -> None:
    events = read_journal(search.journal)[:-1]
    search.journal.write_bytes(old([*events[:6], events[5], *events[6:]]))
    (said,) = repair("search", search)
    assert "all from line 7 on is lost" in said
    assert read_journal(search.journal)[:-1] == events[:6]


def test_a_run_that_somebody_works_on_is_not_repaired(search: RunDirectory) -> None:
    lines = lines_of(search)
    with Journal(search.journal), pytest.raises(ConfigurationError, match="no other process"):
        repair("search", search)
    assert lines_of(search) == lines
