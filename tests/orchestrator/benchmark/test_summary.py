"""What a benchmark study says when it begins and when it ends."""

from __future__ import annotations

from pathlib import Path

from orchestrator.benchmark.assemble import assemble_benchmark
from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.benchmark.summary import closing, opening
from orchestrator.cluster import Cluster
from tests.conftest import composed
from tests.orchestrator.benchmark_journals import BenchmarkJournal

CONF = str(Path(__file__).parent / "conf")
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


def test_an_interrupted_study_says_how_to_go_on(tmp_path: Path) -> None:
    history = BenchmarkHistory.from_events(STUDY.events(final=False)[:3])
    lines = list(closing(history, tmp_path))
    assert lines[0] == "stopped after 6 of 24 cells"
    assert f"go on with: python -m orchestrator resume={tmp_path}" in lines
    assert f"report on what there is: python -m orchestrator.report {tmp_path}" in lines
    assert not any("rank" in line or "report:" in line for line in lines)
