"""What of a search study's journal is recorded, told without MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.run.journal import Event
from orchestrator.search.history.history import SearchHistory
from orchestrator.tracking.items import PARENT, Child, End, Item, Metric, Param
from orchestrator.tracking.records import record_of
from orchestrator.tracking.search import SearchRecord, trial_run
from tests.orchestrator.search_journals import (
    ACCURACY,
    ERROR,
    LATENCY,
    PARAMETERS,
    SearchJournal,
    killed_and_resumed,
)
from tests.orchestrator.tracking.test_population import series, tags
from workloads.contract import Objective


def recorded(events: Iterable[Event]) -> list[Item]:
    return SearchRecord().feed(events)


def test_the_kind_of_study_decides_on_the_record() -> None:
    assert isinstance(record_of(SearchJournal().events()[0]), SearchRecord)


def test_each_trial_is_a_child_run_with_its_configuration_and_its_own_times() -> None:
    events = SearchJournal(trials=3).events()
    items = recorded(events)
    children = [item for item in items if isinstance(item, Child)]
    ends = [item for item in items if isinstance(item, End)]
    assert [item.run for item in children] == ["trial-0000", "trial-0001", "trial-0002"]
    suggestion = events[1]
    assert children[0].time == round(1000 * suggestion["time"])
    assert [end.time - start.time for start, end in zip(children, ends, strict=True) if start.time] == [
        2000
    ] * 3
    params = {item.key: item.value for item in items if isinstance(item, Param) and item.run == "trial-0000"}
    assert params == {f"config.{key}": str(value) for key, value in suggestion["config"].items()}


def test_metrics_of_every_rung_have_the_fidelity_as_step() -> None:
    events = SearchJournal(trials=12, rungs=(1, 3, 9)).events()
    found = series(recorded(events))
    for event in events:
        if event["event"] == "report":
            run = trial_run(event["trial"])
            assert found[run, "error"][event["fidelity"]] == event["metrics"]["error"]
            assert found[run, "seconds"][event["fidelity"]] == event["seconds"]


def test_tags_tell_how_a_trial_ended() -> None:
    study = SearchJournal(trials=20, rungs=(1, 3), failures={4: "boom"}, constraints=(LATENCY,))
    items, history = recorded(study.events()), SearchHistory.from_events(study.events())
    for record in history.ended:
        assert record.trial is not None
        found = tags(items, trial_run(record.number))
        assert found["status"] == record.trial.status
        assert found.get("reason", "") == record.trial.reason
        assert found.get("feasible", "false") == str(record.trial.feasible).lower()
        assert ("rank" in found) == (record.trial.status == "finished")
    failed = [item.run for item in items if isinstance(item, End) and item.status == "FAILED"]
    assert failed == [trial_run(4)]


@settings(max_examples=30)
@given(st.integers(0, 1000), st.sampled_from([(ERROR,), (ERROR, PARAMETERS)]))
def test_the_last_tags_are_those_of_the_final_pareto_set(
    seed: int, objectives: tuple[Objective, ...]
) -> None:
    events = SearchJournal(trials=15, objectives=objectives, seed=seed, failures={2: "boom"}).events()
    items, history = recorded(events), SearchHistory.from_events(events)
    front = {record.number for record in history.pareto()}
    for number in history.records:
        found = tags(items, trial_run(number))
        assert (found["pareto"] == "true") == (number in front)
        assert (found.get("rank") == "0") == (number in front)


def test_the_hypervolume_is_recorded_as_it_grows_where_the_reference_point_is_configured() -> None:
    events = SearchJournal(trials=15, objectives=(ERROR, PARAMETERS)).events()
    history = SearchHistory.from_events(events)
    before_the_end = series(recorded(events[:-1]))[PARENT, "hypervolume"]
    assert list(before_the_end) == list(range(1, 16))
    expected = history.archive.hypervolume_over_time().tolist()
    assert list(before_the_end.values()) == pytest.approx(expected)


def test_the_hypervolume_waits_for_the_end_where_the_reference_point_is_inferred() -> None:
    events = SearchJournal(trials=15, objectives=(ACCURACY, PARAMETERS)).events()
    assert (PARENT, "hypervolume") not in series(recorded(events[:-1]))
    found = series(recorded(events))[PARENT, "hypervolume"]
    history = SearchHistory.from_events(events)
    assert list(found.values()) == history.hypervolume_over_time().tolist()
    assert tags(recorded(events), PARENT)["reference_point"].startswith("accuracy 0.")


def test_the_parent_run_follows_the_best_in_its_own_direction() -> None:
    events = SearchJournal(trials=10, objectives=(ACCURACY,), failures={0: "boom"}, concurrency=1).events()
    found = series(recorded(events))
    metrics = [e["metrics"]["accuracy"] for e in events if e["event"] == "report"]
    best = [max(metrics[: n + 1]) for n in range(len(metrics))]
    assert list(found[PARENT, "best.accuracy"].values()) == best
    assert list(found[PARENT, "failures"].values()) == [1.0] * 10
    assert found[PARENT, "trials_per_minute"][10] == pytest.approx(30)
    assert (PARENT, "hypervolume") not in found


def test_the_end_names_the_best_trial() -> None:
    events = SearchJournal(trials=10, objectives=(ACCURACY,)).events()
    items, best = recorded(events), SearchHistory.from_events(events).knee()
    assert best is not None
    assert best.trial is not None
    found = tags(items, PARENT)
    assert found["best_trial"] == str(best.number)
    assert found["best.config.width"] == str(best.config["width"])
    assert series(items)[PARENT, "final.accuracy"] == {10: best.trial.metrics["accuracy"]}
    assert series(items)[PARENT, "test.error"] == {10: best.test["error"]}


def test_only_trials_that_are_pending_still_have_to_end() -> None:
    events = SearchJournal(trials=4, concurrency=2).events()
    ends = [place for place, event in enumerate(events) if event["event"] == "ended"]
    record = SearchRecord()
    record.feed(events[: ends[0] + 1])
    assert record.run_status(trial_run(0), "KILLED") is None
    assert record.run_status(trial_run(1), "KILLED") == "KILLED"


def test_numbers_that_are_not_finite_are_left_out() -> None:
    events = SearchJournal(trials=2).events()
    next(e for e in events if e["event"] == "report")["metrics"] |= {"a": math.nan, "b": math.inf}
    assert not {"a", "b"} & {item.key for item in recorded(events) if isinstance(item, Metric)}


@settings(max_examples=30)
@given(st.data(), st.sampled_from([(ERROR,), (ACCURACY, PARAMETERS)]))
def test_a_resumed_study_is_recorded_without_duplicates(
    data: st.DataObject, objectives: tuple[Objective, ...]
) -> None:
    events = SearchJournal(trials=8, rungs=(1, 3), failures={3: "boom"}, objectives=objectives).events()
    after = data.draw(st.integers(1, len(events) - 1))
    resumed, whole = recorded(killed_and_resumed(events, after)), recorded(events)
    clocks = {"trials_per_minute"}
    assert {k: v for k, v in series(resumed).items() if k[1] not in clocks} == {
        k: v for k, v in series(whole).items() if k[1] not in clocks
    }
    assert all(tags(resumed, trial_run(n)) == tags(whole, trial_run(n)) for n in range(8))


def test_a_rung_that_is_trained_again_with_another_result_is_recorded_again() -> None:
    events = SearchJournal(trials=2, rungs=(1, 3), concurrency=1).events()
    after = next(place for place, event in enumerate(events) if event["event"] == "report")
    resumed = killed_and_resumed(events, after + 1)
    again = next(event for event in resumed[after + 2 :] if event["event"] == "report")
    again["metrics"] = {**again["metrics"], "error": 0.123}
    values = [
        item.value
        for item in recorded(resumed)
        if isinstance(item, Metric) and (item.run, item.key, item.step) == (trial_run(0), "error", 1)
    ]
    assert len(values) == 2
    assert values[-1] == 0.123


def test_an_interrupted_study_says_so_until_it_goes_on() -> None:
    events = SearchJournal(trials=4).events()
    stopped = {"event": "stopped", "reason": "interrupted", "time": events[4]["time"]}
    interrupted = [*events[:5], stopped]
    assert tags(recorded(interrupted), PARENT)["stopped"] == "interrupted"
    resumed = killed_and_resumed([*interrupted, *events[5:]], 6)
    assert tags(recorded(resumed), PARENT)["stopped"] == ""


@settings(max_examples=30)
@given(st.data())
def test_it_does_not_matter_how_events_arrive(data: st.DataObject) -> None:
    events = SearchJournal(trials=8, rungs=(1, 3), concurrency=3).events()
    cut = data.draw(st.integers(0, len(events)))
    record = SearchRecord()
    assert record.feed(events[:cut]) + record.feed(events[cut:]) == recorded(events)


def test_the_pareto_set_is_shown_as_a_table_where_there_are_several_objectives() -> None:
    record = SearchRecord()
    record.feed(SearchJournal(trials=20).events())
    table = record.tables()["pareto.json"]
    assert list(table.columns[:4]) == ["trial", "knee", "error", "parameters"]
    single = SearchRecord()
    single.feed(SearchJournal(trials=5, objectives=(ERROR,)).events())
    assert single.tables() == {}


def test_a_lost_trial_is_no_failure_and_its_run_is_opened_again_when_it_is_resumed() -> None:
    events = SearchJournal(trials=4, rungs=(1, 3), concurrency=1, objectives=(ERROR,)).events()
    own = [event for event in events if event.get("trial") == 1]
    ended = own[-1]
    gone = {"status": "lost", "reason": "gone", "losses": [math.nan], "metrics": {}, "test": {}}
    losses = [{"event": "lost", "trial": 1, "attempt": 1, "reason": "gone", "seconds": 1.0, "time": 5.0}]
    before = [event for event in events[:-1] if event.get("trial") != 1 or event["event"] == "suggested"]
    lost = [*before, *losses, ended | gone]
    run = trial_run(1)
    found = recorded(lost)
    assert tags(found, run) | {"status": "lost", "reason": "gone", "losses": "1"} == tags(found, run)
    assert [*series(found)[PARENT, "lost"].values()][-1] == 1
    assert (PARENT, "failures") not in series(found), "there never was one"
    assert [item.status for item in found if isinstance(item, End) and item.run == run] == ["FAILED"]
    resumed = recorded([*lost, {"event": "resume", "pending": [1], "time": 9.0}, *own[1:], events[-1]])
    assert tags(resumed, run)["status"] == ended["status"]
    assert not tags(resumed, run)["reason"] or ended["reason"]
    assert [item.status for item in resumed if isinstance(item, End) and item.run == run][-1] == "FINISHED"
