"""What a search study says at its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.engine.cluster import Cluster
from orchestrator.reporting.search.summary import FRONT_ROWS, closing, opening
from orchestrator.search.history.history import SearchHistory
from tests.conftest import composed
from tests.orchestrator.search_journals import ACCURACY, ERROR, PARAMETERS, SearchJournal
from workloads.contract import Objective


def told(study: SearchJournal, path: Path = Path("run"), view: str | None = None) -> list[str]:
    return list(closing(SearchHistory.from_events(study.events()), True, path, view))


@pytest.mark.parametrize(("slots", "told_more"), [(1, False), (4, True)])
def test_says_where_the_optimizer_plans_for_fewer_trials_than_could_run(slots: int, told_more: bool) -> None:
    study = composed("+study=search_digits", "search/stopping=none", "optimizer=nevergrad_ngopt")
    assert "\n" not in opening(study, Path("run"), Cluster(((4, 0),), None), slots, False)  # as it ships
    study["optimizer"]["num_workers"] = 1
    line, *more = opening(study, Path("run"), Cluster(((4, 0),), None), slots, False).splitlines()
    assert line.startswith("study search_digits: ")
    assert f", {slots} at a time (local Ray); run directory run" in line
    assert bool(more) == told_more
    assert all("plans for 1 at a time" in one and "optimizer.num_workers=4" in one for one in more)


def test_the_opening_says_how_to_watch_the_study_in_optuna_where_that_is_wanted() -> None:
    study = composed("+study=search_digits", "search.export_optuna=true")
    _, line = opening(study, Path("my run"), Cluster(((4, 0),), None), 2, False).splitlines()
    assert line == "watch in Optuna: optuna-dashboard 'my run/results/optuna.journal'"


@pytest.mark.parametrize(
    ("gpus", "each", "slots", "idle"),
    [
        (0, 0, 2, ""),
        (1, 0, 2, "1 of 1"),
        (8, 1, 1, "7 of 8"),
        (8, 1, 8, ""),
        (2, 0.5, 3, ""),
        (2, 0.5, 2, "1 of 2"),
    ],
)
def test_gpus_that_nothing_uses_are_named_in_the_opening_line(
    gpus: int, each: float, slots: int, idle: str
) -> None:
    study = composed("+study=search_digits", f"cluster.gpus_per_trial={each}")
    line = opening(study, Path("run"), Cluster(((8, gpus),), None), slots, False)
    said = (
        f"(local Ray, nothing uses {idle} GPUs with cluster.gpus_per_trial={each:g}); "
        if idle
        else "(local Ray); "
    )
    assert said in line


def test_one_objective_ends_with_the_best_configuration() -> None:
    study = SearchJournal(trials=10, objectives=(ACCURACY,))
    best = SearchHistory.from_events(study.events()).knee()
    assert best is not None
    assert best.trial is not None
    lines = told(study)
    assert lines[0] == "trials: 10 finished"
    assert f"best trial: {best.number} (accuracy {best.trial.metrics['accuracy']:.4g})" in lines
    (hyperparameters,) = [line for line in lines if line.startswith("hyperparameters: ")]
    assert all(name in hyperparameters for name in best.config)
    assert f"held-out test: error {best.test['error']:.4g}" in lines


def test_several_objectives_end_with_the_pareto_set_and_its_knee() -> None:
    study = SearchJournal(trials=20)
    history = SearchHistory.from_events(study.events())
    front, knee = history.pareto(), history.knee()
    assert knee is not None
    lines = told(study)
    start = next(place for place, line in enumerate(lines) if line.startswith(f"Pareto set: {len(front)} "))
    assert lines[start + 1].split() == ["trial", "error", "↓", "parameters", "↓"]
    rows = [line.split() for line in lines[start + 2 : start + 2 + len(front)]]
    assert [int(row[0]) for row in rows] == [record.number for record in front]
    assert [int(row[0]) for row in rows if row[-1] == "knee"] == [knee.number]
    assert f"knee point, the best trade-off: trial {knee.number}" in lines


def test_a_long_front_is_thinned_between_its_ends() -> None:
    study = SearchJournal(trials=150, objectives=(ERROR, PARAMETERS, Objective("latency")))
    front = SearchHistory.from_events(study.events()).pareto()
    assert len(front) > FRONT_ROWS
    lines = told(study)
    start = next(place for place, line in enumerate(lines) if line.startswith("Pareto set: "))
    rows = [int(line.split()[0]) for line in lines[start + 2 : start + 2 + FRONT_ROWS]]
    assert (rows[0], rows[-1]) == (front[0].number, front[-1].number)
    assert f"{FRONT_ROWS} of them are" in lines[start]


def test_failures_are_counted_by_reason() -> None:
    lines = told(SearchJournal(trials=8, failures={0: "boom", 2: "out of memory", 5: "boom"}))
    assert lines[1:3] == ["failed (2): boom", "failed (1): out of memory"]


def test_a_study_in_which_everything_failed_says_so() -> None:
    lines = told(SearchJournal(trials=3, failures=dict.fromkeys(range(3), "boom")))
    assert "no feasible trial was trained fully" in lines


def test_an_interrupted_study_says_how_to_go_on() -> None:
    history = SearchHistory.from_events(SearchJournal(trials=8).events()[:8])
    lines = list(closing(history, False, Path("my run"), None))
    assert lines[0] == f"stopped after {len(history.trials)} of 8 trials"
    assert "go on with: python -m orchestrator \"resume='my run'\"" in lines


def test_it_says_where_to_look(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / "study.html").touch()
    (results / "optuna.journal").touch()
    lines = told(SearchJournal(trials=3), tmp_path, "mlflow ui")
    assert lines[-4:] == [
        f"run directory: {tmp_path}",
        f"plots: {results / 'study.html'}",
        f"browse in Optuna: optuna-dashboard {results / 'optuna.journal'}",
        "browse in MLflow: mlflow ui",
    ]


def test_the_front_that_is_shown_always_has_the_knee() -> None:
    for seed in range(8):
        study = SearchJournal(trials=150, objectives=(ERROR, PARAMETERS, Objective("latency")), seed=seed)
        history = SearchHistory.from_events(study.events())
        knee, front = history.knee(), history.pareto()
        assert knee is not None and len(front) >= FRONT_ROWS
        lines = told(study)
        start = next(place for place, line in enumerate(lines) if line.startswith("Pareto set: "))
        rows = [line.split() for line in lines[start + 2 : start + 2 + FRONT_ROWS]]
        numbers = [int(row[0]) for row in rows]
        assert numbers[0] == front[0].number and numbers[-1] == front[-1].number
        assert [int(row[0]) for row in rows if row[-1] == "knee"] == [knee.number]


def test_a_hypervolume_of_0_is_explained() -> None:
    objectives = (replace(ERROR, reference=0.0), replace(PARAMETERS, reference=0.5))
    lines = told(SearchJournal(trials=12, objectives=objectives))
    (line,) = [line for line in lines if "hypervolume is 0" in line]
    assert "no trial is better than the reference point (error 0, parameters 0.5) in every objective" in line
    assert "search.reference" in line
    assert not [line for line in told(SearchJournal(trials=12)) if "hypervolume is 0" in line]


def test_a_study_in_which_nothing_works_names_the_reason_the_log_and_the_way_on(tmp_path: Path) -> None:
    events = SearchJournal(trials=30, failures=dict.fromkeys(range(30), "boom")).events()[:21]
    events.append({"event": "stopped", "reason": "the first 10 trials failed alike: boom", "time": 1.0})
    (tmp_path / "failures.log").write_text("trial 0")
    first, *others = closing(SearchHistory.from_events(events), False, tmp_path)
    assert first == ("ended early: the first 10 trials failed alike: boom; mend the cause before you go on")
    assert [line for line in others if "failures.log" in line] == [f"tracebacks: {tmp_path / 'failures.log'}"]
    assert f"go on with: python -m orchestrator resume={tmp_path}" in others


def test_of_many_reasons_the_most_frequent_are_shown() -> None:
    failures = {number: f"boom {max(number, 3)}" for number in range(20)}
    lines = told(SearchJournal(trials=30, failures=failures))
    failed = [line for line in lines if line.startswith("failed (")]
    assert failed[0] == "failed (4): boom 3"
    assert len(failed) == 6 and failed[-1].startswith("failed (12): for other reasons")


def test_lost_trials_are_counted_apart_and_can_be_tried_again() -> None:
    events = SearchJournal(trials=10, objectives=(ACCURACY,), failures={3: "boom", 5: "gone"}).events()
    for event in events:
        if event["event"] == "ended" and event["trial"] == 5:
            event["status"] = "lost"
    lines = list(closing(SearchHistory.from_events(events), True, Path("run")))
    assert lines[0] == "trials: 8 finished, 1 failed, 1 lost"
    assert "failed (1): boom" in lines and "lost (1): gone" in lines
    assert "try the lost trials again with: python -m orchestrator resume=run" in lines
