"""The terminal shows a study that is under way."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from orchestrator.population.history.history import PopulationHistory
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Journal
from orchestrator.tracking.population_view import PopulationView
from orchestrator.tracking.terminal import OPENING, ProgressLines, TerminalFollower
from tests.orchestrator.journals import PopulationJournal, killed_and_resumed
from tests.orchestrator.search_journals import SearchJournal
from workloads.packing import EngineChoice

STUDY = PopulationJournal(size=4, generations=5)


def followed(run_dir: Path, console: Console) -> str:
    with TerminalFollower(run_dir, console):
        STUDY.write(run_dir)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_lines_without_control_codes_where_there_is_no_terminal(tmp_path: Path) -> None:
    text = followed(tmp_path, Console(file=io.StringIO(), width=20))
    assert "generation 5/5" in text.splitlines()[-1]
    assert "\x1b" not in text
    assert "0:00 left" in text.splitlines()[-1], "lines are not broken at the width"


def test_a_live_table_on_a_terminal(tmp_path: Path) -> None:
    text = followed(tmp_path, Console(file=io.StringIO(), width=100, force_terminal=True))
    assert "generation 5/5" in text
    assert "\x1b[" in text


def test_what_happens_before_there_is_a_journal_is_named(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with TerminalFollower(tmp_path, console):
        pass
    assert isinstance(console.file, io.StringIO)
    assert f"{OPENING} … 0:00" in console.file.getvalue()


def test_long_reasons_are_broken_at_the_terminals_width(tmp_path: Path) -> None:
    reason = "RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB on a device that has only 8"
    study = PopulationJournal(size=4, generations=2, failures={(1, 2): reason})
    console = Console(file=io.StringIO(), width=80, force_terminal=True, soft_wrap=True)
    with TerminalFollower(tmp_path, console):
        study.write(tmp_path)
    assert isinstance(console.file, io.StringIO)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()).replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80
    assert reason in " ".join(line.strip() for line in lines)


def test_one_line_for_each_complete_generation() -> None:
    lines: list[str] = []
    generations = ProgressLines(lines.append)
    history = PopulationHistory.from_events(STUDY.events()[:1])
    for event in STUDY.events()[1:]:
        history.extend([event])
        generations.show(PopulationView.of(history))
    assert [line.split(" | ")[0] for line in lines] == [f"generation {n}/5" for n in range(1, 6)]


def test_generations_that_are_trained_again_are_shown_again() -> None:
    lines: list[str] = []
    generations = ProgressLines(lines.append)
    events = killed_and_resumed(STUDY.events(), 3, 1)
    history = PopulationHistory.from_events(events[:1])
    for event in events[1:]:
        history.extend([event])
        generations.show(PopulationView.of(history))
    assert [int(line.split("/")[0].removeprefix("generation ")) for line in lines] == [1, 2, 3, 2, 3, 4, 5]


def test_stopping_twice_or_before_anything_was_written_is_fine(tmp_path: Path) -> None:
    follower = TerminalFollower(tmp_path, Console(file=io.StringIO()))
    follower.start()
    follower.stop()
    follower.stop()


def test_a_search_study_is_shown_by_the_same_follower(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=20)
    with TerminalFollower(tmp_path, console):
        SearchJournal(trials=7).write(tmp_path)
    assert isinstance(console.file, io.StringIO)
    assert "trial 7/7" in console.file.getvalue().splitlines()[-1]


def test_how_members_train_is_said_once(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=20)
    with TerminalFollower(tmp_path, console), Journal(RunDirectory(tmp_path).journal) as journal:
        journal.append(STUDY.events()[0])
        journal.append(EngineChoice("packed", "it is faster").event())
        journal.append({"event": "remark", "island": 1, "text": "3 members train one after the other"})
        journal.append(*STUDY.events()[1:])
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines.count("engine: packed (it is faster)") == 1
    assert lines.count("island 1: 3 members train one after the other") == 1
