"""What a study does where nothing is left to compute, so that no cluster is needed."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.analysis import report
from orchestrator.benchmark import study
from orchestrator.benchmark.assemble import assemble_benchmark
from orchestrator.benchmark.bench import Bench
from orchestrator.benchmark.course import Course
from orchestrator.benchmark.digest import definition_of
from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.benchmark.results import load_results
from orchestrator.benchmark.stock import Stock
from orchestrator.benchmark.store import Store
from orchestrator.benchmark.study import run
from orchestrator.benchmark.summary import started
from orchestrator.journal import Journal, read_journal
from orchestrator.run_directory import RunDirectory
from search_spaces import ConfigurationError
from tests.conftest import composed

CONF = str(Path(__file__).parent / "conf")


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """A study, all of whose cells are stored in ``tmp_path``."""
    only = ("~benchmark.methods.tpe", "~benchmark.methods.hyperband", "benchmark.seeds=1")
    config = composed("--config-dir", CONF, "+study=tiny", *only)
    bench = Bench(config)
    with Store(RunDirectory(tmp_path).cells) as store:
        for key in assemble_benchmark(config).cells:
            store.append(bench.compute(key))
    return config


def history(path: Path) -> BenchmarkHistory:
    return BenchmarkHistory.from_events(read_journal(RunDirectory(path).journal))


def test_the_analysis_is_told_how_tasks_are_defined(tmp_path: Path, config: dict[str, Any]) -> None:
    assert run(config, tmp_path, resume=False) == 0
    suites = config["benchmark"]["suites"]
    expected = {name: definition_of(suite) for name, suite in suites.items()}
    tasks = load_results(tmp_path).tasks.values()
    assert {task.suite: task.definition for task in tasks} == expected
    assert len(set(expected.values())) == 2


def test_damaged_references_are_refused_before_anything_is_computed(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    (tmp_path / "references.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"references\.json: expected objectives and a point"):
        run(config, tmp_path, resume=False)
    assert not RunDirectory(tmp_path).journal.exists()


def test_lost_evaluations_are_refused_before_anything_is_computed(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    assert run(config, tmp_path, resume=False) == 0
    before = RunDirectory(tmp_path).journal.read_bytes()
    (tmp_path / "cells" / "evaluations.parquet").unlink()
    with pytest.raises(ConfigurationError, match=r"both cells\.parquet and evaluations\.parquet"):
        run(config, tmp_path, resume=True)
    assert RunDirectory(tmp_path).journal.read_bytes() == before


def test_a_report_that_cannot_be_written_fails_the_study_without_taking_it_back(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refusing(run_dirs: list[Path], output: Path) -> Path:
        raise ConfigurationError("output", "a directory", str(output))

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_report", refusing)
        # An error would tell the caller to take back what has been added to the study.
        assert run(config, tmp_path, resume=False) == 1
    out = capsys.readouterr().out
    assert "error: output: expected a directory" in out
    assert f"go on with: python -m orchestrator resume={tmp_path}" in out
    assert (history(tmp_path).final, history(tmp_path).stopped) == (None, "no report")

    assert run(config, tmp_path, resume=True) == 0
    assert history(tmp_path).final is not None
    assert (tmp_path / "results" / "report.html").exists()


def test_a_study_that_was_halted_by_a_full_disk_says_so_and_goes_on(
    tmp_path: Path, config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    longer = {**config, "benchmark": {**config["benchmark"], "seeds": 2}}
    directory, parts = RunDirectory(tmp_path), assemble_benchmark(longer)
    stock = Stock(directory.cells, longer["benchmark"], parts)
    full = "cells cannot be stored: No space left on device"
    with Journal(directory.journal) as journal:
        journal.append(started(longer, parts, stock, again=False))
        course = Course(stock.missing, {}, 1, 1.0, journal, lambda: 0.0)
        course.halt(full)
        assert study._conclude(directory, journal, stock, Console(), course) == 1
    assert f"error: {full}" in capsys.readouterr().out
    assert (history(tmp_path).final, history(tmp_path).stopped) == (None, full)

    bench = Bench(longer)
    with Store(directory.cells) as store:
        for key in stock.missing:
            store.append(bench.compute(key))
    assert run(longer, tmp_path, resume=True) == 0
    assert history(tmp_path).final is not None and history(tmp_path).ended == len(stock.cells)


def test_a_report_for_which_there_is_no_room_fails_the_study_with_one_line(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(run_dirs: list[Path], output: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", str(output / "ranks.png"))

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_report", full)
        assert run(config, tmp_path, resume=False) == 1
    assert "error: No space left on device: " in capsys.readouterr().out
    assert history(tmp_path).stopped == "no report"
    assert run(config, tmp_path, resume=True) == 0
