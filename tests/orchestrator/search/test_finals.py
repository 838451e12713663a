"""The best trials of a search are evaluated again with new seeds, and the means of that decide."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orchestrator.optimizers.random import RandomSearch
from orchestrator.reporting.search.overview import overview
from orchestrator.reporting.search.page import page
from orchestrator.reporting.search.summary import closing
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.search.budget import Budget
from orchestrator.search.course import Assignment, Course, Handling
from orchestrator.search.finals.finalists import Wanted
from orchestrator.search.history import frames
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.soundness import SearchJudge
from orchestrator.search.history.start import SearchStart
from orchestrator.search.trials.trial_run import Report
from orchestrator.tracking.items import Tag
from orchestrator.tracking.search import SearchRecord
from orchestrator.tracking.search_view import SearchView
from search_spaces import build_space
from tests.orchestrator.search.troubled import SPACE
from workloads.contract import Objective

ONE, TWO = (Objective("loss"),), (Objective("loss"), Objective("cost"))
TRIALS, FULL = 6, 9

Noise = Callable[[Assignment], float]


def by_repeat(assignment: Assignment) -> float:
    """As of a seed: the first hides which configuration is the best."""
    rng = np.random.default_rng([assignment.repeat, int(1e6 * (1 + assignment.suggestion.config["x"]))])
    return float(rng.normal(0, 2.0 if assignment.repeat == 0 else 0.01))


def events_of(
    path: Path,
    wanted: Wanted,
    budget: Budget | int = TRIALS,
    objectives: tuple[Objective, ...] = ONE,
    noise: Noise = by_repeat,
    slots: int = 2,
    lost: int = -1,
) -> list[Event]:
    """Run a study to its end, or go on with it; the trial ``lost`` is lost in every attempt."""
    with Journal(path) as journal:
        past = read_journal(path)
        if not past:
            limit = budget.trials if isinstance(budget, Budget) else budget
            start = SearchStart(
                *("study", 0, "RandomSearch", "", limit, slots, "step", (1, 3, 9)),
                *(objectives, (), ("x", "y"), (), 0.0),
            )
            past = [start.event()]
            journal.append(*past)
        ticks = itertools.count(int(past[-1]["time"]) + 1)
        optimizer = RandomSearch(build_space(SPACE), objectives, 0)
        course = Course(
            *(optimizer, (), budget, FULL, journal, past, lambda: float(next(ticks))),
            Handling(retries=1, finalists=wanted),
        )
        if len(past) > 1:
            course.resume()
        running: list[Assignment] = []
        while True:
            while len(running) < slots and (assignment := course.next()) is not None:
                running.append(assignment)
            if not running:
                break
            work = running.pop(0)
            if work.number == lost:
                course.lose(work.number, "its node died", 1.0)
                continue
            x, y = (float(work.suggestion.config[name]) for name in "xy")
            loss = x**2 + y**2 + noise(work)
            for fidelity in (1, FULL):
                report = Report(fidelity, {"loss": loss, "cost": abs(x - 1)}, 0.5 * fidelity)
                course.report(work.number, report)
            course.end(work.number, report)
        assert course.progress.finished and course.progress.over
    return read_journal(path)


def evaluations(events: list[Event]) -> list[tuple[int, int]]:
    """Number and finalist of each."""
    suggested = [event for event in events if event["event"] == "suggested"]
    return [(event["trial"], event["finalist"]) for event in suggested if "finalist" in event]


def test_the_best_are_trained_again_with_new_seeds_and_their_means_decide(tmp_path: Path) -> None:
    events = events_of(tmp_path / "journal", Wanted(3, 2))
    history = SearchHistory.from_events(events)
    assert len(history.ended) == TRIALS
    own = sorted(history.records.values(), key=lambda one: one.trial.losses if one.trial else ())
    finalists = [one.number for one in own[:3]]
    assert [finalist for _, finalist in evaluations(events)] == 2 * finalists, "in turn, the best one first"
    repeats = [event["repeat"] for event in events if event["event"] == "suggested" and "finalist" in event]
    assert repeats == [1, 1, 1, 2, 2, 2], "no seed is used twice"
    knee = history.knee()
    assert knee is not None and knee.trial is not None
    true = {number: sum(float(history.records[number].config[n]) ** 2 for n in "xy") for number in finalists}
    assert knee.number == min(finalists, key=true.__getitem__) != own[0].number
    assert knee.trial.losses[0] == pytest.approx(true[knee.number], abs=0.05)
    assert history.best()[0] == knee.trial.losses[0]
    assert history.pareto() == [knee]


def test_while_they_are_evaluated_the_time_left_is_that_of_their_evaluations(tmp_path: Path) -> None:
    events = events_of(tmp_path / "journal", Wanted(3, 2), slots=1)
    began = next(place for place, event in enumerate(events) if event["event"] == "finals")
    ends = [place for place, event in enumerate(events) if event["event"] == "ended" and place > began]
    assert len(ends) == 6
    for done, place in enumerate(ends, 1):
        history = SearchHistory.from_events(events[: place + 1])
        assert history.finals.left == 6 - done
        seconds = (events[ends[-1]]["time"] - events[place]["time"]) if done < 6 else 0
        assert history.seconds_left == pytest.approx(seconds, rel=0.2)


def test_all_who_look_see_the_finalists(tmp_path: Path) -> None:
    events = events_of(tmp_path / "journal", Wanted(2, 2))
    history = SearchHistory.from_events(events)
    knee = history.knee()
    assert knee is not None
    table = frames.finalists(history)
    assert table["final.evaluations"].tolist() == [2, 2] and table["pareto"].sum() == 1
    assert table.loc[table["pareto"], "trial"].tolist() == [knee.number]
    assert frames.pareto(history)["loss"].tolist() == [history.best()[0]]
    assert (table["std.loss"] < 0.1).all() and len(frames.trials(history)) == TRIALS
    lines = list(closing(history, True, tmp_path))
    place = lines.index("finalists, evaluated again with new seeds:")
    assert lines[place + 1].split() == ["trial", "loss", "in", "the", "search"]
    assert sum(line.endswith("best") for line in lines[place + 2 : place + 4]) == 1
    assert any(line.startswith(f"best trial: {knee.number} (") and "the mean" in line for line in lines)
    assert "finals 4/4" in SearchView.of(history).line()
    view = overview(history, build_space(SPACE))
    assert "<h2>Finalists</h2>" in page(view, [])
    items = SearchRecord().feed([*events, {"event": "final", "time": 1e3}])
    tags = {(item.run, item.key): item.value for item in items if isinstance(item, Tag)}
    (number, finalist), *_ = evaluations(events)
    assert tags[f"trial-{number:04d}", "finalist"] == str(finalist)
    assert tags["", "best_trial"] == str(knee.number)
    assert tags[f"trial-{knee.number:04d}", "pareto"] == "true"


def test_killed_after_any_event_the_finals_go_on(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    events = events_of(whole, Wanted(2, 2), slots=1)
    lines = whole.read_bytes().splitlines(keepends=True)
    judge = SearchJudge()
    assert not any(map(judge, events))
    for killed_after in range(1, len(lines) + 1):
        path = tmp_path / str(killed_after)
        path.write_bytes(b"".join(lines[:killed_after]))
        resumed = events_of(path, Wanted(2, 2), slots=1)
        assert evaluations(resumed) == evaluations(events)
        found, expected = (SearchHistory.from_events(one).knee() for one in (resumed, events))
        assert found is not None and expected is not None and found.trial == expected.trial
        assert sum(event["event"] == "ended" for event in resumed) == TRIALS + 4


def test_the_finals_are_beside_the_budgets_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    events = events_of(path, Wanted(2, 2), Budget(50, seconds=1000.0, fidelity_units=30), slots=1)
    assert [event["reason"] for event in events if event["event"] == "spent"] == [
        "search.fidelity_units: 36 are trained"
    ]
    first = SearchHistory.from_events(events)
    assert len(first.ended) == 4 and len(first.finals.runs) == 4
    more = events_of(path, Wanted(2, 2), Budget(50, seconds=1000.0, fidelity_units=60), slots=1)
    history = SearchHistory.from_events(more)
    assert len(history.ended) == 7, "what the finals trained is not counted"
    plan = history.finals.plan
    assert plan is not None and len(plan.trials) == 2
    kept = set(plan.trials) & {finalist for _, finalist in evaluations(events)}
    assert len(history.finals.runs) == 4 + 2 * (2 - len(kept)), "evaluations that there are count"
    assert history.judged.archive is not history.archive
    wider = SearchHistory.from_events(events_of(path, Wanted(3, 2), Budget(50, fidelity_units=60)))
    assert len(wider.ended) == 7 and wider.finals.plan is not None and len(wider.finals.plan.trials) == 3


def test_a_finalist_that_fails_once_is_out_and_a_lost_evaluation_is_tried_again(tmp_path: Path) -> None:
    def fails(assignment: Assignment) -> float:
        return float("nan") if assignment.number == TRIALS else by_repeat(assignment)

    path = tmp_path / "journal"
    events = events_of(path, Wanted(2, 1), noise=fails, slots=1)
    history = SearchHistory.from_events(events)
    (_, failed), (_, other) = evaluations(events)
    knee = history.knee()
    assert knee is not None and knee.number == other
    reasons = dict(frames.finalists(history)[["trial", "reason"]].itertuples(index=False))
    assert reasons == {failed: "not a finite number: loss = nan", other: ""}
    path = tmp_path / "lost"
    lost = SearchHistory.from_events(events_of(path, Wanted(2, 1), lost=TRIALS))
    assert lost.finals.lost == {TRIALS: "its node died"} and not lost.lost
    again = SearchHistory.from_events(events_of(path, Wanted(2, 1)))
    assert not again.finals.lost and len(again.finals.runs) == 2


def test_of_several_objectives_the_pareto_set_is_that_of_the_means(tmp_path: Path) -> None:
    events = events_of(tmp_path / "journal", Wanted(4, 2), 12, TWO)
    history = SearchHistory.from_events(events)
    front = history.pareto()
    assert front and {one.number for one in front} <= {finalist for _, finalist in evaluations(events)}
    means = np.array([one.trial.losses for one in front if one.trial])
    assert (np.diff(means[:, 0]) >= 0).all() and (np.diff(means[:, 1]) <= 0).all()
    assert frames.pareto(history)["loss"].tolist() == means[:, 0].tolist()


def test_without_finalists_nothing_is_different(tmp_path: Path) -> None:
    events = events_of(tmp_path / "journal", Wanted())
    assert not evaluations(events) and all(event["event"] != "finals" for event in events)
    assert len(frames.finalists(SearchHistory.from_events(events))) == 0
