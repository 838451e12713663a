"""The report of benchmark studies, from a run directory to its files."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import fields, replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from orchestrator.analysis.analysis import Analysis, analyse
from orchestrator.analysis.references import load_references
from orchestrator.benchmark.records import LeftOut
from orchestrator.benchmark.results import load_results
from orchestrator.cli.program import main
from orchestrator.reporting.benchmark.report import examine, write_report
from orchestrator.reporting.benchmark.report_tables import failures, tables, write_tables
from search_spaces import ConfigurationError
from tests.orchestrator.analysis import made
from tests.orchestrator.analysis.stored import save

TABLES = [*(field.name for field in fields(Analysis)), "failures"]
FAILED = ("bbob/function=1,dimension=2", "fair", 1)
LEFT_OUT = LeftOut("zdt/function=1,dimension=2", "poor", "it has one objective only")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its report."""
    path = tmp_path_factory.mktemp("run")
    tasks = [*made.four_types(1), made.task("BB", 2)]
    save(path, made.results(tasks, seeds=range(3), failed=[FAILED], left_out=[LEFT_OUT]))
    write_report([path], path / "results")
    return path


def tables_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".csv", ".parquet")}


def values(analysis: Analysis) -> pd.Series:
    return analysis.scores.set_index(["task", "method", "seed"])["value"]


def test_every_picture_and_table_is_there(run_dir: Path) -> None:
    found = {path.name for path in (run_dir / "results").iterdir()}
    assert found >= {f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")}
    pictures = {name for name in found if name.endswith(".png")}
    assert pictures >= {
        "ranks.png",
        "ecdf.png",
        "heat_map.png",
        "overall_evaluations.png",
        "attainment_1.png",
    }
    assert "report.html" in found
    assert not any(name.startswith(".") for name in found), "temporary files are gone"
    for name in pictures:
        assert matplotlib.image.imread(run_dir / "results" / name).std() > 0.01


def test_tables_are_those_of_the_analysis(run_dir: Path) -> None:
    results = load_results(run_dir)
    analysis = analyse(results, load_references(run_dir / "references.json", results.tasks))
    for name in TABLES[:-1]:
        expected = getattr(analysis, name).reset_index(drop=True)
        stored = pd.read_parquet(run_dir / "results" / f"{name}.parquet")
        pd.testing.assert_frame_equal(stored, expected, check_dtype=False)
        assert len(pd.read_csv(run_dir / "results" / f"{name}.csv")) == len(expected)


def test_a_csv_has_the_types_of_its_table(tmp_path: Path) -> None:
    """A column of whole floats stays one of floats; commas, quotes, lines and what is unknown come back."""
    frame = pd.DataFrame(
        {
            "text": ["a,b", 'say "no"', "two\nlines", "plain"],
            "count": [1, 2, 3, 4],
            "whole": [1.0, np.nan, 3e20, np.inf],
            "number": [0.1 + 0.2, 1e-7, np.nan, -2.0],
            "nothing": [np.nan] * 4,
            "found": [True, False, True, True],
        }
    )
    write_tables(tmp_path, {"some": frame, "none": frame.iloc[:0]})
    read = pd.read_csv(tmp_path / "some.csv")
    pd.testing.assert_frame_equal(read, frame, check_exact=True)
    assert list(pd.read_csv(tmp_path / "none.csv").columns) == list(frame.columns)


def test_the_page_stands_alone(run_dir: Path) -> None:
    page = (run_dir / "results" / "report.html").read_text(encoding="utf-8")
    assert page.count("plotly.js v") == 1
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"href=.", markup)
    assert not re.findall(r"src=|href=(?!\"#)", markup)
    assert "@import" not in markup
    assert str(run_dir) not in page
    for chart in re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL):
        assert {"data", "layout"} == json.loads(chart).keys()


def test_the_page_says_what_was_left_out_and_what_failed(run_dir: Path) -> None:
    page = (run_dir / "results" / "report.html").read_text(encoding="utf-8")
    for text in (
        LEFT_OUT.reason,
        "1 cell of 42 failed",
        "ValueError: no further points",
        "ValueError: diverged",
    ):
        assert text in page


@pytest.mark.usefixtures("undrawn")
def test_tests_that_were_left_out_are_named_with_their_reason(tmp_path: Path) -> None:
    run_dir = save(tmp_path, made.results([made.task("BB")], failing=0.0))
    page = write_report([run_dir], tmp_path / "results").read_text(encoding="utf-8")
    omitted = pd.read_csv(tmp_path / "results" / "omitted.csv")
    assert len(omitted)
    for reason in omitted["reason"]:
        assert reason in page
    assert not (tmp_path / "results" / "critical_difference_BB.png").exists()
    assert "No evaluation and no cell failed" in page


@pytest.mark.usefixtures("undrawn")
def test_a_second_report_has_the_same_tables_and_pictures_of_an_earlier_one_are_gone(
    run_dir: Path, tmp_path: Path
) -> None:
    output = tmp_path / "again"
    output.mkdir()
    for name in ("curves_evaluations_7.png", "mine.png"):
        (output / name).write_text("earlier")
    write_report([run_dir], output)
    assert tables_in(output) == tables_in(run_dir / "results")
    first, second = (folder / "report.html" for folder in (output, run_dir / "results"))
    assert first.read_bytes() == second.read_bytes()
    assert not (output / "curves_evaluations_7.png").exists()
    assert (output / "mine.png").exists(), "what is not the report's stays"


def test_cells_computed_in_another_order_give_the_same_tables(tmp_path: Path) -> None:
    results = made.results(made.four_types(1), seeds=range(2))
    shuffled = replace(results, cells=results.cells.sample(frac=1, random_state=1).assign(seconds=9.0))
    for name, one in (("first", results), ("second", shuffled)):
        folder = save(tmp_path / name, one)
        write_tables(folder, tables(*examine([folder], folder)))
    assert tables_in(tmp_path / "first") == tables_in(tmp_path / "second")


def test_reference_points_do_not_move_when_a_method_is_added(tmp_path: Path) -> None:
    tasks = [made.task("MOMF", number) for number in (1, 2)]
    save(tmp_path, made.results(tasks))
    before = values(examine([tmp_path], tmp_path)[1])
    frozen = (tmp_path / "references.json").read_bytes()
    shutil.rmtree(tmp_path / "cells")
    save(tmp_path, made.results(tasks, {**made.METHODS, "worst": 0.01}))
    after = values(examine([tmp_path], tmp_path)[1])
    assert (tmp_path / "references.json").read_bytes() == frozen
    assert after[before.index].equals(before)


def test_reference_points_of_an_unfinished_study_are_not_frozen(tmp_path: Path) -> None:
    task = made.task("MOMF")
    save(tmp_path, made.without_cells(made.results([task]), "poor", task.name))
    examine([tmp_path], tmp_path)
    assert not (tmp_path / "references.json").exists()


def test_reference_points_are_not_frozen_before_all_planned_seeds_are_there(tmp_path: Path) -> None:
    task = made.task("MOMF")
    whole = made.results([task], seeds=range(3))
    cells, evaluations = (frame[frame["seed"] < 2] for frame in (whole.cells, whole.evaluations))
    save(tmp_path, replace(whole, cells=cells, evaluations=evaluations))
    _, analysis = examine([tmp_path], tmp_path)
    assert not (tmp_path / "references.json").exists()
    missing = "1 of its cells have not been computed"
    assert analysis.omitted["reason"].tolist().count(missing) == len(made.METHODS)
    save(tmp_path, whole)
    _, analysis = examine([tmp_path], tmp_path)
    assert (tmp_path / "references.json").exists()
    assert missing not in analysis.omitted["reason"].tolist()


def test_reference_points_of_runs_hold_in_their_common_report(tmp_path: Path) -> None:
    task = made.task("MOMF")
    rates = {"good": 3.0, "poor": 0.3}
    runs = [
        save(tmp_path / name, made.results([task], {name: rate}, range(2))) for name, rate in rates.items()
    ]
    examine([runs[1]], runs[1])
    alone = load_references(runs[1] / "references.json", {task.name: task})
    output = tmp_path / "both"
    results, _ = examine(runs, output)
    assert load_references(output / "references.json", results.tasks) == alone
    assert not (runs[0] / "references.json").exists()
    examine([runs[0]], runs[0])
    first = load_references(runs[0] / "references.json", results.tasks)
    assert first != alone
    examine(runs, output)
    assert load_references(output / "references.json", results.tasks) == first


def test_studies_of_different_tasks_and_seeds_are_complete_together(tmp_path: Path) -> None:
    first = save(tmp_path / "1", made.results([made.task("MOMF", 1)], {"good": 3.0}, range(2)))
    second = save(tmp_path / "2", made.results([made.task("MOMF", 2)], {"poor": 0.6}, range(4)))
    _, analysis = examine([first, second], tmp_path / "both")
    assert (tmp_path / "both" / "references.json").exists()
    assert not analysis.omitted["reason"].str.contains("not been computed").any()


def test_several_studies_stand_in_one_report(tmp_path: Path) -> None:
    tasks = made.four_types(1)
    first = save(tmp_path / "first", made.results(tasks, {"good": 3.0}, range(2)))
    second = save(tmp_path / "second", made.results(tasks, {"poor": 0.6}, range(2)))
    output = tmp_path / "both"
    _, analysis = examine([first, second], output)
    assert set(analysis.scores["method"]) == {"good", "poor"}
    assert (output / "references.json").exists()
    assert not (first / "references.json").exists()


def test_failures_are_counted_with_their_reasons() -> None:
    results = made.results([made.task("BB")], failed=[FAILED], seeds=range(2), failing=0.3)
    frame = failures(results)
    assert frame.columns.tolist() == ["task", "method", "seed", "what", "count", "reason"]
    (cell,) = frame[frame["what"] == "cell"].itertuples()
    assert (cell.task, cell.method, cell.seed, cell.reason) == (*FAILED, "ValueError: no further points")
    evaluations = frame[frame["what"] == "evaluations"]
    assert evaluations["count"].sum() == (results.evaluations["status"] == "failed").sum()
    assert set(evaluations["reason"]) == {"ValueError: diverged"}


def test_nothing_failed_is_an_empty_table() -> None:
    frame = failures(made.results([made.task("BB")], failing=0.0))
    assert frame.empty
    assert "reason" in frame


@pytest.mark.usefixtures("undrawn")
def test_the_command_prints_where_the_page_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = save(tmp_path, made.results([made.task("BB")], seeds=[0]))
    assert main(["report", str(run_dir), "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'report.html'}\n"


def test_wrong_calls_are_refused_in_one_line(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("unfinished", "elsewhere", "broken", "unreadable")
    unfinished, elsewhere, broken, unreadable = (tmp_path / name for name in names)
    only = made.results([made.task("BB")], {"good": 1.0}, [0], failed=[(made.task("BB").name, "good", 0)])
    save(unfinished, only)
    both = made.results([made.task("BB")], {"good": 1.0}, [0, 1], failed=[(made.task("BB").name, "good", 0)])
    lost = both.cells["status"].where(both.cells["seed"] == 0, "lost")
    save(elsewhere, replace(both, cells=both.cells.assign(status=lost)))
    shutil.copytree(run_dir, broken)
    (broken / "benchmark.json").write_text("{")
    shutil.copytree(run_dir, unreadable)
    (unreadable / "references.json").write_text("[1, 2]")
    file = tmp_path / "file"
    file.touch()
    calls = [
        ([str(tmp_path / "nothing")], "expected an existing directory"),
        ([str(tmp_path)], "expected a run directory, with config.yaml"),
        ([str(unfinished)], "expected at least one finished cell, got '1 failed'"),
        ([str(elsewhere)], "expected at least one finished cell, got '1 failed, 1 lost'"),
        ([str(broken)], "expected results of a benchmark study that can be read"),
        ([str(unreadable)], "references.json: expected objectives and a point per task"),
        ([str(run_dir), "--output", str(file)], "output: expected a directory"),
        ([str(run_dir), "--output", str(file / "below")], "output: expected a directory"),
        ([str(run_dir), str(run_dir)], "--output: expected a directory for the report of several runs"),
    ]
    for arguments, said in calls:
        assert main(["report", *arguments]) == 2, arguments
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert said in captured.err


@pytest.mark.parametrize("arguments", [[], ["--outputs", "x"], ["x", "--output"]])
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", *arguments])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: command line: ")


def test_no_finished_cell_is_an_error_for_callers_too(tmp_path: Path) -> None:
    name = made.task("BB").name
    save(tmp_path, made.results([made.task("BB")], {"good": 1.0}, [0], failed=[(name, "good", 0)]))
    with pytest.raises(ConfigurationError, match="at least one finished cell"):
        write_report([tmp_path], tmp_path / "results")
    assert not (tmp_path / "results").exists()
