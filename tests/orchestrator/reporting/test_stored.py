"""The results of any run can be written again from its directory alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from orchestrator.cli.program import main
from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.population.results import write_results as write_population
from orchestrator.reporting.search.results import write_results as write_search
from orchestrator.search.history.history import SearchHistory
from tests.orchestrator.analysis import made
from tests.orchestrator.analysis.stored import save
from tests.orchestrator.journals import PopulationJournal
from tests.orchestrator.search_journals import SPACE, SearchJournal, space

Capsys = pytest.CaptureFixture[str]
POPULATION, SEARCH = PopulationJournal(), SearchJournal()


def kept(path: Path, kind: str, **more: Any) -> Path:
    """A run directory with a configuration."""
    path.mkdir(exist_ok=True)
    config = {"study": {"name": "pretended", "kind": kind}, **more}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def search(tmp_path: Path) -> Path:
    run = kept(tmp_path / "search", "search", search_space=SPACE, search={"export_optuna": True})
    SEARCH.write(run)
    return run


@pytest.fixture
def population(tmp_path: Path) -> Path:
    run = kept(tmp_path / "population", "population")
    POPULATION.write(run)
    return run


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_search_run_is_reported_again(search: Path, tmp_path: Path, capsys: Capsys) -> None:
    first = write_search(tmp_path / "first", SearchHistory.from_events(SEARCH.events()), space())
    assert main(["report", str(search)]) == 0
    assert capsys.readouterr().out == f"{search / 'results' / 'study.html'}\n"
    assert files(search / "results") == files(first) | {"optuna.journal"}
    tables = [pd.read_parquet(folder / "trials.parquet") for folder in (first, search / "results")]
    pd.testing.assert_frame_equal(*tables)
    assert (first / "front.png").read_bytes() == (search / "results" / "front.png").read_bytes()


@pytest.mark.usefixtures("undrawn")
def test_a_population_run_is_reported_again_in_another_folder(
    population: Path, tmp_path: Path, capsys: Capsys
) -> None:
    first = write_population(tmp_path / "first", PopulationHistory.from_events(POPULATION.events()))
    other = tmp_path / "other"
    assert main(["report", str(population), "--output", str(other)]) == 0
    assert capsys.readouterr().out == f"{other / 'schedule.html'}\n"
    assert files(other) == files(first)
    assert not (population / "results").exists()


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_run_is_reported_as_far_as_it_came(search: Path, capsys: Capsys) -> None:
    journal = search / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:9])[:-5])
    assert main(["report", str(search)]) == 0
    capsys.readouterr()
    assert 0 < len(pd.read_parquet(search / "results" / "trials.parquet")) < SEARCH.trials


def test_what_cannot_be_reported_is_refused_in_one_line(
    search: Path, population: Path, tmp_path: Path, capsys: Capsys
) -> None:
    benchmark = save(tmp_path / "benchmark", made.results([made.task("BB")], seeds=[0]))
    damaged, unknown, wrong = (tmp_path / name for name in ("damaged", "unknown", "wrong"))
    for path, text in ((damaged, "{"), (unknown, "study: {kind: other}"), (wrong, "[]")):
        path.mkdir()
        (path / "config.yaml").write_text(text)
    empty = kept(tmp_path / "empty", "population")
    other = kept(tmp_path / "other", "population")
    SEARCH.write(other)
    torn = kept(tmp_path / "torn", "population")
    (torn / "journal.jsonl").write_text("{]\n")
    spaceless = kept(tmp_path / "spaceless", "search", search={"export_optuna": False})
    SEARCH.write(spaceless)
    output = ["--output", str(tmp_path / "out")]
    calls = [
        ([str(benchmark), str(search), *output], "expected benchmark runs alone where there are several"),
        ([str(search), str(population), *output], "expected benchmark runs alone where there are several"),
        ([str(damaged)], "expected a run with a valid config.yaml"),
        ([str(unknown)], "study.kind is 'other'"),
        ([str(wrong)], "expected a run with a valid config.yaml"),
        ([str(empty)], "expected a run that has begun"),
        ([str(other)], "expected a population study that can be read"),
        ([str(torn)], "expected a journal that can be read"),
        ([str(spaceless)], "expected a search study that can be read"),
        ([str(search), "--output", str(search / "config.yaml")], "output: expected a directory"),
    ]
    for arguments, said in calls:
        assert main(["report", *arguments]) == 2, arguments
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert said in captured.err
