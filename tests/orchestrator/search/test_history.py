"""The history tells what the journal says, without what a resume made void."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.pareto import knee, nondominated
from orchestrator.search.history.history import SearchHistory
from tests.orchestrator.search_journals import (
    ACCURACY,
    ERROR,
    LATENCY,
    PARAMETERS,
    SearchJournal,
    killed_and_resumed,
)

studies = st.builds(
    SearchJournal,
    trials=st.integers(1, 16),
    objectives=st.sampled_from([(ERROR,), (ERROR, PARAMETERS), (ACCURACY, PARAMETERS, LATENCY)]),
    constraints=st.sampled_from([(), (LATENCY,)]),
    rungs=st.sampled_from([(1,), (1, 3, 9)]),
    failures=st.dictionaries(st.integers(0, 15), st.just("boom"), max_size=4),
    concurrency=st.integers(1, 4),
    seed=st.integers(0, 1000),
).filter(lambda study: not (LATENCY in study.constraints and LATENCY in study.objectives))


def history_of(study: SearchJournal) -> SearchHistory:
    return SearchHistory.from_events(study.events())


@settings(max_examples=40)
@given(studies)
def test_the_pareto_set_that_grows_with_the_study_is_that_of_all_trials(study: SearchJournal) -> None:
    history = history_of(study)
    losses, violations = history.archive.losses, history.archive.violations
    expected = {history.ended[row].number for row in np.flatnonzero(nondominated(losses, violations))}
    assert {record.number for record in history.pareto()} == expected
    row, found = knee(losses, violations), history.knee()
    assert (found and found.number) == (None if row is None else history.ended[row].number)
    volumes = history.hypervolume_over_time()
    assert history.hypervolume() == pytest.approx(volumes[-1])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), both=st.booleans())
def test_the_hypervolume_never_falls_while_the_study_runs(seed: int, both: bool) -> None:
    objectives = (replace(ERROR, reference=None), replace(PARAMETERS, reference=None))
    events = SearchJournal(
        trials=40, objectives=objectives if both else (ACCURACY, PARAMETERS), seed=seed
    ).events()
    history, volumes, corners = SearchHistory.from_events(events[:1]), [], []
    for event in events[1:]:
        history.extend([event])
        if event["event"] == "ended" and history.settled:
            volumes.append(history.hypervolume())
            corners.append(history.corner)
    assert len(volumes) > 20
    assert (np.diff(volumes) >= 0).all()
    assert (np.diff(corners, axis=0) >= 0).all(), "the reference point moves outwards alone"
    assert (history.archive.losses[[history.ended.index(r) for r in history.pareto()]] < history.corner).all()
    assert volumes[-1] == pytest.approx(history.hypervolume_over_time()[-1])


@settings(max_examples=40)
@given(studies, st.data())
def test_a_resumed_study_has_the_same_history(study: SearchJournal, data: st.DataObject) -> None:
    events = study.events()
    after = data.draw(st.integers(1, len(events) - 1))
    whole = SearchHistory.from_events(events)
    resumed = SearchHistory.from_events(killed_and_resumed(events, after, pause=100.0))
    assert list(map(repr, resumed.trials)) == list(map(repr, whole.trials)), "NaN is not equal to itself"
    assert [record.number for record in resumed.pareto()] == [record.number for record in whole.pareto()]
    for number, record in whole.records.items():
        again = resumed.records[number]
        assert [r.fidelity for r in again.reports] == [r.fidelity for r in record.reports]
        assert again.elapsed == pytest.approx(record.elapsed), "the pause does not count"


def test_trials_that_were_stopped_early_or_failed_are_not_in_the_pareto_set() -> None:
    history = history_of(SearchJournal(trials=30, rungs=(1, 3, 9), failures={4: "boom", 7: "boom", 9: "nan"}))
    statuses = {record.trial.status for record in history.pareto() if record.trial}
    assert statuses == {"finished"}
    assert any(trial.status == "stopped" for trial in history.trials)
    assert history.failures == {4: "boom", 7: "boom", 9: "nan"}


def test_trials_that_finished_at_less_than_full_fidelity_are_not_compared() -> None:
    events = SearchJournal(trials=4, objectives=(ERROR,), rungs=(1, 3)).events()
    first = next(event for event in events if event["event"] == "ended" and event["trial"] == 0)
    first |= {"fidelity": 1, "losses": [0.0], "status": "finished"}
    history = SearchHistory.from_events(events)
    best = history.knee()
    assert best is not None
    assert best.number != 0


def test_values_are_in_the_objectives_own_directions() -> None:
    history = history_of(SearchJournal(trials=20, objectives=(ACCURACY, PARAMETERS)))
    accuracies = [trial.metrics["accuracy"] for trial in history.trials]
    sizes = [trial.metrics["parameters"] for trial in history.trials]
    assert history.best().tolist() == [max(accuracies), min(sizes)]
    assert history.reference()[0] < min(record.trial.metrics["accuracy"] for record in history.pareto())
    assert history.reference()[1] == PARAMETERS.reference


def test_nothing_is_known_at_the_start() -> None:
    history = SearchHistory.from_events(SearchJournal(trials=3).events()[:1])
    assert history.pareto() == []
    assert history.knee() is None
    assert history.hypervolume() == 0.0
    assert np.isnan(history.best()).all()
    assert math.isnan(history.rate)


def test_the_rate_is_of_the_present_process() -> None:
    events = SearchJournal(trials=10, concurrency=1, seconds=2.0).events()
    assert SearchHistory.from_events(events).rate == pytest.approx(0.5)
    after = next(n for n, e in enumerate(events) if e["event"] == "suggested" and e["trial"] == 5)
    resumed = SearchHistory.from_events(killed_and_resumed(events, after + 1, pause=1000.0))
    assert resumed.rate == pytest.approx(0.5, rel=0.3)


def test_pending_trials_are_those_without_an_end() -> None:
    events = SearchJournal(trials=6, concurrency=3).events()
    ends = [place for place, event in enumerate(events) if event["event"] == "ended"]
    history = SearchHistory.from_events(events[: ends[0] + 1])
    assert [record.number for record in history.pending] == [1, 2]


def test_another_kind_of_journal_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the start of a search study, got 'born'"):
        SearchHistory.from_events([{"event": "born"}])


def test_a_lost_trial_is_no_failure_and_begins_anew_on_resume() -> None:
    events = SearchJournal(trials=6, rungs=(1, 3), objectives=(ERROR,)).events()
    place = next(n for n, e in enumerate(events) if e["event"] == "ended" and e["trial"] == 2)
    kept = [e for e in events if e.get("trial") != 2 or e["event"] == "suggested"]
    losses = [{"event": "lost", "trial": 2, "attempt": n, "reason": "gone", "time": 3.0} for n in (1, 2)]
    end = events[place] | {
        "status": "lost",
        "reason": "gone",
        "losses": [math.nan],
        "metrics": {},
        "test": {},
    }
    lost = SearchHistory.from_events([*kept[:-1], *losses, end, kept[-1]])
    assert lost.lost == {2: "gone"} and lost.failures == {} and lost.pending == []
    assert lost.records[2].losses == 2 and lost.records[2].reports == []
    lost.extend([{"event": "resume", "pending": [2], "time": 5.0}])
    assert [record.number for record in lost.pending] == [2]
    assert len(lost.ended) == len(lost.archive) == 5 and lost.final is None
    lost.extend([event for event in events if event.get("trial") == 2 and event["event"] != "suggested"])
    whole = SearchHistory.from_events(events)
    assert lost.best().tolist() == whole.best().tolist()
    assert {r.number for r in lost.pareto()} == {r.number for r in whole.pareto()}
    assert lost.lost == {}
