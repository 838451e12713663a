"""Results of earlier studies that a search begins with: runs of ours, Optuna's storages, tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

from orchestrator.optimizers.asha import Asha
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.rungs import Rungs
from orchestrator.run.journal import read_journal
from orchestrator.search.earlier.earlier import Needs, earlier
from orchestrator.search.history import frames
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.optuna_file import export
from orchestrator.search.history.records import observed_trials
from orchestrator.trial import Trial
from search_spaces import ConfigurationError, build_space
from tests.orchestrator.search_journals import SPACE, SearchJournal
from workloads.contract import Fidelity, Objective

ERROR = (Objective("error"),)
JOURNAL = SearchJournal(trials=20, objectives=ERROR, rungs=(1, 3, 9), failures={3: "boom"})


def needs(space: dict[str, Any] = SPACE, objectives: Sequence[Objective] = ERROR, **other: Any) -> Needs:
    optimizer = RandomSearch(build_space(space), objectives, 0)
    return Needs(
        **{"optimizer": optimizer, "constraints": (), "rungs": Rungs(1, 3, 9), "unit": "epoch"} | other
    )


def taken(source: Path | str, wanted: Needs) -> tuple[list[Trial], str]:
    (event,), (line,) = earlier([str(source)], wanted)
    return observed_trials(event), line


@pytest.fixture
def run(tmp_path: Path) -> Path:
    JOURNAL.write(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def history() -> SearchHistory:
    return SearchHistory.from_events(JOURNAL.events())


def test_a_run_gives_all_that_ended_as_it_ended(run: Path, history: SearchHistory) -> None:
    trials, line = taken(run, needs())
    assert line == f"search.from: the optimizer learns from 20 of 20 results of {run}"
    assert [trial.status for trial in trials] == [trial.status for trial in history.trials]
    assert [trial.config for trial in trials] == [trial.config for trial in history.trials]
    known = [(a.losses, b.losses) for a, b in zip(trials, history.trials, strict=True) if a.usable]
    assert known and all(mine == theirs for mine, theirs in known)


def test_an_optimizer_that_chooses_fidelities_gets_a_result_for_each_report(
    run: Path, history: SearchHistory
) -> None:
    optimizer = Asha(build_space(SPACE), ERROR, 0, Fidelity("epoch", 1, 9))
    trials, _ = taken(run, needs(optimizer=optimizer))
    reports = [report.fidelity for record in history.ended for report in record.reports]
    assert sorted(one.suggestion.fidelity for one in trials if one.usable) == sorted(reports)
    optimizer.observe(trials)
    assert [len(rung.ranking) for rung in optimizer._results] == [20, reports.count(3)]


def test_what_no_longer_fits_is_left_out_and_counted(run: Path) -> None:
    space: dict[str, Any] = {
        "parameters": {
            **{name: SPACE["parameters"][name] for name in ("learning_rate", "batch")},
            "width": {"type": "int", "low": 8, "high": 64, "log": True},
            "dropout": {"type": "float", "low": 0.0, "high": 0.5, "default": 0.1},
        }
    }
    trials, line = taken(run, needs(space))
    assert 0 < len(trials) < 20
    assert {trial.config["dropout"] for trial in trials} == {0.1}
    assert all(int(trial.config["width"]) <= 64 for trial in trials)
    assert line == (
        f"search.from: the optimizer learns from {len(trials)} of 20 results of {run}; "
        f"left out: width out of its range {20 - len(trials)}; "
        "ignored, since not in the search space: activation, momentum; "
        "at their defaults, since missing there: dropout"
    )


def test_other_objectives_and_other_training_are_judged_anew(run: Path) -> None:
    trials, _ = taken(run, needs(objectives=(Objective("accuracy", "max", bound=0.5), Objective("latency"))))
    assert all(len(trial.losses) == 2 and trial.losses[0] <= 0 for trial in trials if trial.usable)
    _, line = taken(run, needs(objectives=(Objective("unheard_of"),)))
    assert "from 1 of 20" in line and "left out: without an objective or a constraint 19" in line
    longer, _ = taken(run, needs(rungs=Rungs(1, 3, 27)))
    assert {trial.status for trial in longer} == {"stopped", "failed"}
    shorter, _ = taken(run, needs(rungs=Rungs(1, 3, 3)))
    assert {trial.status for trial in shorter} == {"finished", "stopped", "failed"}
    other, line = taken(run, needs(unit="step"))
    assert {trial.status for trial in other} == {"finished", "failed"} and "in other units" in line


def test_our_own_tables_and_optuna_files_hold_the_same(
    tmp_path: Path, run: Path, history: SearchHistory
) -> None:
    expected, _ = taken(run, needs())
    finished = {str(trial.config): trial.losses[0] for trial in expected if trial.status == "finished"}
    frames.trials(history).to_parquet(tmp_path / "trials.parquet")
    frames.trials(history).to_csv(tmp_path / "trials.csv")
    export(read_journal(run / "journal.jsonl"), build_space(SPACE), tmp_path / "optuna.journal")
    for name in ("trials.parquet", "trials.csv", "optuna.journal"):
        trials, _ = taken(tmp_path / name, needs())
        found = {str(trial.config): trial.losses[0] for trial in trials if trial.status == "finished"}
        assert found == pytest.approx(finished), name


def test_any_table_and_any_study_of_optuna(tmp_path: Path) -> None:
    space = {
        "parameters": {"x": {"type": "float", "low": 0, "high": 1}, "n": {"type": "int", "low": 1, "high": 9}}
    }
    pd.DataFrame({"x": [0.5, 2.0], "n": [3, 4], "error": [0.1, 0.2]}).to_csv(tmp_path / "a.csv", index=False)
    trials, line = taken(tmp_path / "a.csv", needs(space))
    assert [(trial.config, trial.losses) for trial in trials] == [({"x": 0.5, "n": 3}, (0.1,))]
    assert line.endswith("left out: x out of its range 1")
    url = f"sqlite:///{tmp_path}/a.db"
    for name in ("one", "two"):
        study = optuna.create_study(storage=url, study_name=name)
        study.optimize(
            lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_int("n", 1, 3), n_trials=4
        )
        if name == "one":
            assert len(taken(url, needs(space))[0]) == 4
    assert len(taken(f"{url}#two", needs(space))[0]) == 4
    with pytest.raises(
        ConfigurationError, match=r"^search.from\[0\]: expected an Optuna storage with one study"
    ):
        taken(url, needs(space))
    with pytest.raises(ConfigurationError, match=r"direction max, got .*there it is min"):
        taken(f"{url}#two", needs(space, (Objective("error", "max"),)))


@pytest.mark.parametrize(
    "name", ["nothing", "folder", "file.txt", "population", "sqlite:///no.db", "bad.csv", "bad.parquet"]
)
def test_what_is_no_source_is_refused_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "population").mkdir()
    (tmp_path / "population" / "journal.jsonl").write_text('{"event":"start","kind":"population"}\n')
    (tmp_path / "file.txt").write_text("no storage\n")
    (tmp_path / "bad.csv").write_text("x,y\n1,2\n")
    (tmp_path / "bad.parquet").write_text("no parquet")
    with pytest.raises(ConfigurationError, match=r"^search\.from\[0\]: expected") as refusal:
        taken(name, needs())
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.glob("*.db")), "nothing is made"
