"""What a benchmark study says when it begins and when it ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from orchestrator.benchmark.assemble import assemble_benchmark
from orchestrator.benchmark.history import BenchmarkHistory, Failure, cells_event
from orchestrator.benchmark.records import CellKey
from orchestrator.engine.cluster import Cluster
from orchestrator.reporting.benchmark.report import examine
from orchestrator.reporting.benchmark.report_tables import tables, write_tables
from orchestrator.reporting.benchmark.summary import aggregates, closing, headline, opening
from tests.conftest import composed
from tests.orchestrator.analysis import made
from tests.orchestrator.analysis.stored import save
from tests.orchestrator.benchmark_journals import BenchmarkJournal

CONF = str(Path(__file__).parents[1] / "benchmark" / "conf")
STUDY = BenchmarkJournal(failures={3: "boom", 4: "boom"})


def test_the_opening_says_what_runs_and_what_does_not() -> None:
    study = composed("--config-dir", CONF, "+study=tiny", "benchmark.seeds=1")
    parts = assemble_benchmark(study)
    cluster = Cluster(((2.0, 0.0),), None)
    assert opening(study, parts, Path("here"), cluster, 2, False, 7).splitlines() == [
        "study tiny: 3 methods, 3 tasks, 1 seed, 7 cells, 2 at a time (local Ray); run directory here",
        "left out: hyperband on 2 tasks (it chooses fidelities, and the task has one)",
    ]
    again = opening(study, parts, Path("here"), cluster, 2, True, 3)
    assert again.startswith("resuming tiny: ") and "3 of 7 cells" in again


def test_a_complete_study_ranks_its_methods_and_names_the_report(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "report.html").touch()
    lines = list(closing(BenchmarkHistory.from_events(STUDY.events()), tmp_path, "mlflow ui"))
    assert lines[:2] == ["cells: 22 finished, 2 failed", "failed (2): boom"]
    assert [line.split() for line in lines[3:6]] == [["all"], ["random", "1"], ["tpe", "2"]]
    assert lines[-2:] == [f"report: {tmp_path / 'results' / 'report.html'}", "browse in MLflow: mlflow ui"]
    assert not any("go on" in line for line in lines)


def test_a_study_with_lost_cells_says_how_to_compute_them(tmp_path: Path) -> None:
    lost = [Failure("task-0", "tpe", 0, "its process died")]
    events = STUDY.events()
    events.insert(1, cells_event("cells", {}, [], lost, left=1.0, time=0.0))
    lines = list(closing(BenchmarkHistory.from_events(events), tmp_path))
    assert lines[0] == "cells: 22 finished, 2 failed, 1 lost"
    assert "lost (1): its process died" in lines
    assert f"compute the lost cells with: python -m orchestrator resume={tmp_path}" in lines


@pytest.mark.parametrize("balanced", [True, False])
def test_aggregates_are_over_the_groups_tasks_and_the_best_is_named_where_it_may_be(
    tmp_path: Path, balanced: bool
) -> None:
    tasks = [made.task("BB", 1), made.task("MO", 1)]
    results = made.without_cells(made.results(tasks, seeds=range(2)), "poor", tasks[1].name)
    own = (results.cells["method"] == "fair") & (results.cells["seed"] == 1) & (not balanced)
    cells = results.cells.assign(status=results.cells["status"].mask(own, "lost"))
    run_dir = save(tmp_path, replace(results, cells=cells))
    write_tables(tmp_path / "results", tables(*examine([run_dir], tmp_path / "results")))
    index: Any = SimpleNamespace(
        finished=Counter(good=4), failures=[], cells=[CellKey("", name, 0) for name in made.METHODS]
    )
    values = aggregates(tmp_path / "results", index)
    assert {name for name, own in values.items() if "normalised.all" in own} == {"good", "fair"}
    assert {name for name, own in values.items() if "normalised.BB" in own} == set(made.METHODS)
    found = headline(tmp_path / "results", index)
    if balanced:
        assert found == {"best": "good, fair", "unbalanced": None}
        means = pd.read_parquet(tmp_path / "results" / "means.parquet")
        expected = means[means["method"] == "good"]["normalised"].mean()
        assert values["good"]["normalised.all"] == pytest.approx(expected)
    else:
        assert found["best"] is None and "fair lacks 2 cells" in str(found["unbalanced"])


def test_an_interrupted_study_says_how_to_go_on(tmp_path: Path) -> None:
    history = BenchmarkHistory.from_events(STUDY.events(final=False)[:3])
    lines = list(closing(history, tmp_path))
    assert lines[0] == "stopped after 6 of 24 cells"
    assert f"go on with: python -m orchestrator resume={tmp_path}" in lines
    assert f"report on what there is: python -m orchestrator report {tmp_path}" in lines
    assert not any("rank" in line or "report:" in line for line in lines)
