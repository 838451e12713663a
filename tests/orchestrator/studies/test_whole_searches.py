"""Whole search studies without Ray: what stopping rules, optimizers and failures make of their trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.search.history.history import SearchHistory, TrialRecord
from search_spaces import ConfigurationError
from tests.orchestrator.studies.in_process import search_in_process

pytestmark = pytest.mark.usefixtures("undrawn")


def history(path: Path) -> SearchHistory:
    return SearchHistory.from_events(read_journal(RunDirectory(path).journal))


def reason(record: TrialRecord) -> str:
    assert record.trial is not None
    return record.trial.reason


@pytest.mark.parametrize("rule", ["asha", "median"])
def test_a_failed_trial_does_not_end_a_study_with_a_stopping_rule(tmp_path: Path, rule: str) -> None:
    overrides = (
        "+search_space.parameters.accident={type: categorical, choices: [none, raises]}",
        "optimizer=sobol",
        "search.trials=20",
        f"search/stopping={rule}",
    )
    assert search_in_process(tmp_path, *overrides) == 0
    study = history(tmp_path)
    assert len(study.ended) == 20
    assert set(study.failures.values()) == {"RuntimeError: out of luck"}
    stopped = [record for record in study.ended if record.trial and record.trial.status == "stopped"]
    assert stopped and all(record.reports[-1].fidelity < 9 for record in stopped)
    assert any(record.trial and record.trial.status == "finished" for record in study.ended)


def test_a_study_in_which_everything_fails_says_so(tmp_path: Path) -> None:
    assert search_in_process(tmp_path, "preflight=false", "objectives=[{name: unheard_of}]") == 1
    assert {reason(record) for record in history(tmp_path).ended} == {
        "the workload did not report 'unheard_of'; it reported ['cost', 'loss', 'pid']"
    }


@pytest.mark.parametrize(
    ("rule", "objectives"),
    [
        ("asha", "[]"),
        ("hyperband", "[]"),
        ("median", "[]"),
        ("mo_asha", "[{name: loss}, {name: cost}]"),
    ],
)
def test_early_stopping_spares_training_and_keeps_the_good(
    tmp_path: Path, rule: str, objectives: str
) -> None:
    overrides = (f"search/stopping={rule}", f"objectives={objectives}", "search.trials=30")
    assert search_in_process(tmp_path, *overrides) == 0
    assert_stops_early(history(tmp_path), rule)


def assert_stops_early(study: SearchHistory, rule: str) -> None:
    stopped = [record for record in study.ended if record.trial and record.trial.status == "stopped"]
    full = [record for record in study.ended if record.trial and record.trial.status == "finished"]
    assert len(stopped) + len(full) == 30
    assert stopped and full
    assert {reason(record).partition(" ")[0] for record in stopped} == {rule}
    assert all(record.reports[-1].fidelity < 9 for record in stopped)
    if len(study.start.objectives) == 1:
        good, bad = ([record.reports[0].losses[0] for record in group] for group in (full, stopped))
        assert np.median(good) < np.median(bad)


def test_an_optimizer_that_chooses_fidelities_is_obeyed(tmp_path: Path) -> None:
    assert search_in_process(tmp_path, "optimizer=smac_hyperband", "search.trials=14") == 0
    study = history(tmp_path)
    assert {record.fidelity for record in study.ended} >= {1, 3}
    for record in study.ended:
        assert record.trial is not None and record.trial.status == "finished"
        assert record.trial.fidelity == record.fidelity


def test_auto_says_what_it_takes_and_a_resume_goes_on_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auto = ("optimizer=auto", "search.trials=100")
    assert search_in_process(tmp_path, *auto, "search.fidelity_units=91") == 0
    assert "auto chooses asha_random (a choice of fidelities, " in " ".join(capsys.readouterr().out.split())
    before = [record.config for record in history(tmp_path).ended]
    assert {record.fidelity for record in history(tmp_path).ended} >= {1, 3}
    assert search_in_process(tmp_path, *auto, "search.fidelity_units=99", resume=True) == 0
    assert "would now suggest" not in capsys.readouterr().out
    after = [record.config for record in history(tmp_path).ended]
    assert after[: len(before)] == before and len(after) > len(before)


@pytest.mark.parametrize("saves", [True, False])
def test_a_promoted_trial_trains_the_difference_alone(tmp_path: Path, saves: bool) -> None:
    overrides = ["optimizer=asha_random", "search.trials=20"]
    assert (
        search_in_process(tmp_path, *overrides, *([] if saves else ["search.checkpoint_seconds=null"])) == 0
    )
    events = read_journal(RunDirectory(tmp_path).journal)
    suggested = [event for event in events if event["event"] == "suggested"]
    higher = [event for event in suggested if event["fidelity"] > 1]
    assert higher and all(("from" in event) == saves for event in higher)
    fidelities = {record.number: record.trial.fidelity for record in history(tmp_path).ended if record.trial}
    assert fidelities == {event["trial"]: event["fidelity"] for event in suggested}
    first = next(record for record in history(tmp_path).ended if record.fidelity == 3)
    assert [report.fidelity for report in first.reports] == ([3] if saves else [1, 3])
    assert not list(tmp_path.glob("checkpoints/*")), "the study is complete"


def test_freeze_thaw_trains_no_step_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ("optimizer=freeze_thaw", "optimizer.candidates=16", "search.fidelity_units=24")
    # One after the other, so that none is on its way when the budget is spent.
    assert search_in_process(tmp_path, *overrides, "search.trials=100", "search.concurrency=1") == 0
    assert "each trial trains one of the 9 steps to 9 steps" in " ".join(capsys.readouterr().out.split())
    study = history(tmp_path)
    steps = [(str(one.config), one.fidelity) for one in study.ended]
    assert len(set(steps)) == len(steps) == study.trained.total == 24
    assert max(fidelity or 0 for _, fidelity in steps) > 3, "some go on"
    assert {study.trained.of(one.number) for one in study.ended} == {1}


def test_a_deterministic_workload_is_not_asked_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ("workload=zdt", "search_space=zdt", "search.initial=[default,default]", "search.trials=3")
    assert search_in_process(tmp_path, *overrides, "search.concurrency=1", study="search") == 0
    assert [history(tmp_path).records[number].reused for number in range(3)] == [None, 0, None]
    line = "1 of the trials take the result of an earlier one, since no seed would change it"
    assert line in capsys.readouterr().out


def test_the_best_trials_are_evaluated_again_beside_the_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = ("workload._target_=tests.orchestrator.search.troubled.Noisy", "search/stopping=median")
    assert search_in_process(tmp_path, *noisy, "search.trials=8", "search.archive=1") == 0
    assert history(tmp_path).finals.plan is None
    again = (*noisy, "search.trials=8", "search.archive=1", "search.finalists=2")
    assert search_in_process(tmp_path, *again, resume=True) == 0
    study = history(tmp_path)
    runs = study.finals.runs.values()
    assert len(study.ended) == 8 and len(runs) == 6
    assert {run.trial.status for run in runs if run.trial} == {"finished"}
    assert len({run.trial.losses for run in runs if run.trial}) == 6, "each has another seed"
    assert "finalists, evaluated again with new seeds:" in capsys.readouterr().out


def test_a_search_begins_with_what_is_known_and_ends_where_its_target_is_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search_in_process(tmp_path / "first", "search.trials=5") == 0
    capsys.readouterr()
    known = (f"search.from=[{tmp_path / 'first'}]", "search.initial=[default,{x: 0.5, y: 0.5}]")
    ends = ("search.target=0.2", "search.concurrency=1", "optimizer=optuna_tpe")
    assert search_in_process(tmp_path / "second", *known, *ends) == 0
    study, lines = history(tmp_path / "second"), capsys.readouterr().out.splitlines()
    assert [record.config for record in study.ended] == [{"x": 0.0, "y": 0.0}]
    assert "pre-flight: search.from: the optimizer learns from 5 of 5 results of " in lines[0]
    assert any(line.startswith("a budget is spent: search.target: trial 0 has loss 0.1111") for line in lines)


def test_a_source_that_is_none_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^search\.from\[0\]: expected a search's run directory"):
        search_in_process(tmp_path, "search.from=[nowhere]")
    assert not RunDirectory(tmp_path).journal.exists()


def test_a_finished_search_is_given_more_trials(tmp_path: Path) -> None:
    assert search_in_process(tmp_path / "run", "search.trials=4") == 0
    assert search_in_process(tmp_path / "run", "search.trials=9", resume=True) == 0
    assert search_in_process(tmp_path / "whole", "search.trials=9") == 0
    more, whole = history(tmp_path / "run"), history(tmp_path / "whole")
    assert more.start.trials == 9
    assert [record.config for record in more.ended] == [record.config for record in whole.ended]


def test_more_trials_and_no_patience_for_them_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search_in_process(tmp_path, "search.trials=6", "search.concurrency=1") == 0
    assert "a budget is spent" not in capsys.readouterr().out
    assert search_in_process(tmp_path, "search.trials=9", "search.patience=1", resume=True) == 0
    assert len(history(tmp_path).ended) == 6
    assert "a budget is spent: search.patience: the last " in capsys.readouterr().out


def test_training_that_is_counted_ends_a_search(tmp_path: Path) -> None:
    overrides = ("search.fidelity_units=10", "search.trials=30", "search/stopping=median")
    assert search_in_process(tmp_path, *overrides) == 0
    study = history(tmp_path)
    assert study.spent == "search.fidelity_units: 10 are trained"
    first, second, *begun = [record.trial.fidelity for record in study.ended if record.trial]
    assert (first, second) == (9, 1)
    assert begun in ([], [1])  # the other worker may have begun a trial by then; it ends at its first report
