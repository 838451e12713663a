"""A search study around its training: what a complete journal needs, and what must not lose it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.journal import Event, Journal, read_journal
from orchestrator.run_directory import RunDirectory
from orchestrator.search import study as program
from orchestrator.search.assemble import assemble_search
from orchestrator.search.course import Course
from orchestrator.search.history import SearchStart
from orchestrator.search.trial_run import Report
from search_spaces import ConfigurationError
from tests.conftest import composed

CONF = str(Path(__file__).parent / "conf")
TRIALS = 25


def configured(*overrides: str) -> dict[str, Any]:
    return composed("--config-dir", CONF, "+study=troubled", f"search.trials={TRIALS}", *overrides)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Of a study in which all trials have ended, which was killed then."""
    parts = assemble_search(configured())
    start = SearchStart(
        study="troubled", seed=0, optimizer="RandomSearch", stopping="", trials=TRIALS, concurrency=1,
        unit="step", rungs=parts.rungs.up_to(), objectives=parts.objectives, constraints=(),
        parameters=parts.space.names, log_parameters=(), time=0.0,
    )  # fmt: skip
    with Journal(RunDirectory(tmp_path).journal) as journal:
        journal.append(start.event())
        course = Course(parts.optimizer, (), TRIALS, 9, journal, [], time.time)
        while (assignment := course.next()) is not None:
            course.end(assignment.number, Report(9, {"loss": float(assignment.number)}, 1.0, done=True))
    return tmp_path


def without_ray(*arguments: object) -> None:
    raise AssertionError("there is nothing to train")


def test_a_complete_study_needs_neither_its_optimizer_nor_ray(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "connect", without_ray)
    other = configured("seed=1")  # in which the optimizer suggests other configurations
    assert program.run(other, run_dir, True) == 0
    assert "replaying" not in capsys.readouterr().out
    assert (run_dir / "results" / "study.html").exists()
    assert [event["event"] for event in read_journal(RunDirectory(run_dir).journal)].count("final") == 1


def test_a_long_replay_is_announced(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = RunDirectory(run_dir).journal
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(ConfigurationError, match=r"^resume: expected an optimizer that suggests what it did"):
        program.run(configured("seed=1"), run_dir, True)
    assert capsys.readouterr().out == "replaying 25 suggestions\n"


def test_a_failure_among_the_results_does_not_lose_the_study(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr(program, "write_results", full)
    assert program.run(configured(), run_dir, True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "results are incomplete: OSError: No space left on device"
    assert "trials: 25 finished" in lines and "best trial: 0 (loss 0)" in lines


def test_the_journal_is_read_while_nobody_else_can_write_it(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> list[Event]:
        with pytest.raises(ConfigurationError, match="a run that no other process is working on"):
            Journal(path)
        return read_journal(path)

    monkeypatch.setattr(program, "read_journal", read)
    assert program.run(configured(), run_dir, True) == 0
