"""When a search has had enough, folded from its journal."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from orchestrator.optimizers.random import RandomSearch
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.search.budget import Budget, Spending
from orchestrator.search.course import Assignment, Course
from orchestrator.search.history.records import ended, reported
from orchestrator.search.trials.trial_run import Report
from orchestrator.trial import Suggestion, evaluated, failed, lost
from search_spaces import build_space
from tests.orchestrator.search.troubled import SPACE
from workloads.contract import Objective

OBJECTIVES = (Objective("loss"), Objective("accuracy", "max"))
LARGEST = 9


def end(number: int, loss: float, time: float, fidelity: int = LARGEST, accuracy: float = 0.5) -> Event:
    metrics = {"loss": loss, "accuracy": accuracy}
    status: Any = "finished" if fidelity == LARGEST else "stopped"
    trial = evaluated(Suggestion({}), metrics, OBJECTIVES, fidelity=fidelity, status=status)
    return ended(number, trial, {}, time)


def spending(events: list[Event], **budget: Any) -> Spending:
    made = Spending(Budget(100, **budget), OBJECTIVES, (), LARGEST)
    made.take([{"event": "start", "time": 100.0}, *events])
    return made


def test_pauses_are_no_time_of_the_study() -> None:
    events = [end(0, 1.0, 110.0), {"event": "resume", "pending": [], "time": 500.0}, end(1, 1.0, 505.0)]
    study = spending(events, seconds=20)
    assert study.verdict() == "" and study.verdict(509.0) == ""
    assert study.verdict(510.0) == "search.seconds: 20 s have passed"
    study.go_on(1000.0)
    assert study.verdict(1004.0) == "" and study.verdict(1005.0)


def test_training_is_counted_with_that_of_lost_trials() -> None:
    report = Report(3, {}, 1.0)
    events = [
        reported(0, report, [], 101.0),
        {"event": "lost", "trial": 0, "time": 102.0},
        reported(0, report, [], 103.0),
        end(0, 1.0, 104.0),
        ended(1, lost(Suggestion({}), "gone", OBJECTIVES), {}, 105.0),
        reported(2, report, [], 106.0),
    ]
    study = spending(events, fidelity_units=15)
    assert study.units == 3 + 9 + 3
    assert study.verdict() == "search.fidelity_units: 15 are trained"
    assert spending(events, fidelity_units=16).verdict() == ""


def test_a_target_is_reached_by_one_fully_trained_trial_in_all_objectives() -> None:
    target = {"target": (0.2, -0.8)}
    apart = [end(0, 0.1, 101.0, accuracy=0.5), end(1, 0.9, 102.0, accuracy=0.9)]
    less = [end(2, 0.1, 103.0, fidelity=3, accuracy=0.9)]
    assert spending([*apart, *less], **target).verdict() == ""
    reached = spending([*apart, end(3, 0.2, 103.0, accuracy=0.8)], **target)
    assert reached.verdict() == "search.target: trial 3 has loss 0.2, accuracy 0.8"


def test_patience_counts_trials_since_the_last_improvement() -> None:
    failure = ended(3, failed(Suggestion({}), "boom", OBJECTIVES), {}, 104.0)
    loss = ended(4, lost(Suggestion({}), "gone", OBJECTIVES), {}, 105.0)
    events = [end(0, 1.0, 101.0), end(1, 0.5, 102.0), end(2, 0.5, 103.0), failure, loss]
    assert spending(events, patience=3).verdict() == ""
    assert spending(events, patience=2).verdict() == "search.patience: the last 2 trials improved nothing"
    assert spending([*events, end(5, 0.4, 106.0)], patience=2).verdict() == ""


def course(path: Path, journal: Journal, budget: Budget) -> Course:
    ticks = itertools.count()
    optimizer = RandomSearch(build_space(SPACE), (Objective("loss"),), 0)
    made = Course(optimizer, (), budget, LARGEST, journal, read_journal(path), lambda: float(next(ticks)))
    if made.pending:
        made.resume()
    return made


def report(assignment: Assignment, fidelity: int) -> Report:
    return Report(fidelity, {"loss": 1.0 / (1 + assignment.number)}, 1.0, done=fidelity == LARGEST)


def run(path: Path, budget: Budget) -> list[Event]:
    """One trial after another, in reports at 3 and 9."""
    with Journal(path) as journal:
        study = course(path, journal, budget)
        while (assignment := study.next()) is not None:
            for fidelity in (3, LARGEST):
                study.report(assignment.number, report(assignment, fidelity))
                if study.progress.spent or fidelity == LARGEST:
                    study.end(assignment.number, report(assignment, fidelity), "a budget")
                    break
        assert study.progress.finished
    return read_journal(path)


@pytest.mark.parametrize(
    ("budget", "trials"),
    [
        (Budget(5), 5),
        (Budget(5, fidelity_units=20), 3),
        (Budget(50, target=(0.2,)), 5),
        (Budget(50, patience=1), 50),
    ],
)
def test_a_study_ends_with_the_budget_that_is_spent_first_and_goes_on_with_a_larger_one(
    tmp_path: Path, budget: Budget, trials: int
) -> None:
    path = tmp_path / "journal"
    events = run(path, budget)
    assert sum(event["event"] == "ended" for event in events) == trials
    assert sum(event["event"] == "spent" for event in events) == (trials < budget.trials)
    assert run(path, budget)[-1]["event"] in ("ended", "spent"), "nothing more begins"
    more = run(path, Budget(60))
    assert sum(event["event"] == "ended" for event in more) == 60


def test_trials_in_training_stop_at_their_next_report_and_lost_ones_wait(tmp_path: Path) -> None:
    path, budget = tmp_path / "journal", Budget(10, target=(1.0,))
    with Journal(path) as journal:
        study = course(path, journal, budget)
        first, second, third = study.next(), study.next(), study.next()
        assert first and second and third
        study.lose(2, "its node died", 1.0)
        study.report(0, report(first, LARGEST))
        study.end(0, report(first, LARGEST))
        assert study.progress.spent and not study.progress.over and study.next() is None
        study.report(1, report(second, 3))
        study.end(1, report(second, 3), "a budget")
        assert study.progress.over and study.progress.finished
    events = read_journal(path)
    assert [(e["trial"], e["status"]) for e in events if e["event"] == "ended"] == [
        (0, "finished"),
        (1, "stopped"),
    ]
    with Journal(path) as journal:
        study = course(path, journal, Budget(10))
        again = study.next()
        assert again is not None and again.number == 2, "it begins anew once there is more to spend"
