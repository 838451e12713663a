"""What trials cost, and what became of them."""

from __future__ import annotations

from typing import Any

from orchestrator.search.history.endings import endings, reached, reasons, repeats, spared, survivors
from orchestrator.search.history.history import SearchHistory
from tests.orchestrator.search_journals import ACCURACY, SearchJournal


def history_of(**study: Any) -> SearchHistory:
    return SearchHistory.from_events(SearchJournal(objectives=(ACCURACY,), **study).events())


def test_every_trial_ended_in_one_way() -> None:
    history = history_of(trials=20, rungs=(1, 3, 9), failures={3: "boom", 5: "boom"})
    found = {one.status: one for one in endings(history)}
    assert list(found) == ["finished", "stopped", "failed"]
    assert sum(one.trials for one in found.values()) == 20
    assert found["failed"].trials == 2
    assert found["finished"].units == 9 * found["finished"].trials
    assert sum(one.units for one in found.values()) == sum(map(reached, history.records.values()))
    running = SearchHistory.from_events(SearchJournal(trials=4).events()[:2])
    assert [one.status for one in endings(running)] == ["running"]


def test_early_stopping_saves_what_stopped_trials_were_not_trained() -> None:
    history = history_of(trials=20, rungs=(1, 3, 9))
    found = spared(history)
    assert found is not None
    stopped = [one for one in history.ended if one.trial and one.trial.status == "stopped"]
    assert found.stopped == len(stopped) > 0
    assert found.units == sum(9 - reached(one) for one in stopped)
    assert found.whole == 9 * 20
    assert 0 < found.share < 1
    assert spared(history_of(trials=5)) is None


def test_a_promoted_trial_trained_the_difference_alone() -> None:
    events = SearchJournal(trials=4, rungs=(1, 9), concurrency=1).events()
    promoted = next(event for event in events if event["event"] == "suggested" and event["trial"] == 3)
    whole = SearchHistory.from_events(events)
    promoted["from"] = {"trial": 0, "fidelity": 1}
    history = SearchHistory.from_events(events)
    assert sum(one.units for one in endings(history)) == sum(one.units for one in endings(whole)) - 1


def test_fewer_trials_come_to_each_further_rung() -> None:
    history = history_of(trials=20, rungs=(1, 3, 9))
    came = survivors(history, (1, 3, 9))
    finished = sum(one.status == "finished" for one in history.trials)
    assert came[0] == 20 > came[1] > came[2] == finished


def test_configurations_that_were_tried_again_and_reasons_are_counted() -> None:
    events = SearchJournal(trials=8, failures={1: "boom", 2: "bang", 6: "boom"}).events()
    first = next(event for event in events if event["event"] == "suggested")
    for event in events:
        if event["event"] == "suggested" and event["trial"] in (4, 7):
            event["config"] = first["config"]
    history = SearchHistory.from_events(events)
    (again,) = repeats(history)
    assert again.trials == (0, 4, 7)
    assert all(name in again.text for name in first["config"])
    assert [(one.text, one.trials) for one in reasons(history.failures)] == [
        ("boom", (1, 6)),
        ("bang", (2,)),
    ]
