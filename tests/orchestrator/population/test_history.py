"""The history tells what the journal says, without what a resume made void."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.population.decision import Decision
from orchestrator.population.history.frames import intervals, lineage
from orchestrator.population.history.history import PopulationHistory
from orchestrator.run.journal import Event
from tests.orchestrator.journals import ACCURACY, LOSS, PopulationJournal, killed_and_resumed, snapshot

studies = st.builds(
    PopulationJournal,
    size=st.integers(2, 7),
    generations=st.integers(1, 7),
    synchronous=st.booleans(),
    seed=st.integers(0, 1000),
    failures=st.dictionaries(st.tuples(st.integers(0, 6), st.integers(1, 7)), st.just("boom"), max_size=3),
)


def ancestries(events: list[Event]) -> list[list[tuple[int, int]]]:
    """The same by following the weights: what every member's went through, as islands would copy them."""
    size, synchronous = events[0]["size"], events[0]["synchronous"]
    weights: list[list[tuple[int, int]]] = [[] for _ in range(size)]
    intervals = [event for event in events if event["event"] == "interval"]
    step = size if synchronous else 1
    trained = [list(line) for line in weights]
    for start in range(0, len(intervals), step):
        group = intervals[start : start + step]
        for event in group:
            member = event["member"]
            weights[member] = [*weights[member], (event["generation"], member)]
            trained[member] = weights[member]
        # A copy is of what its parent published, whatever that goes on with.
        published = [list(line) for line in trained]
        for event in group:
            weights[event["member"]] = [] if event["reborn"] else published[event["parent"]]
    return trained


@settings(max_examples=30, deadline=None)
@given(studies)
def test_ancestry_follows_the_weights(study: PopulationJournal) -> None:
    events = study.events()
    history = PopulationHistory.from_events(events)
    assert [history.ancestry(member) for member in range(study.size)] == ancestries(events)


@settings(max_examples=30, deadline=None)
@given(studies)
def test_a_history_grown_event_by_event_is_the_same(study: PopulationJournal) -> None:
    events = study.events()
    grown = PopulationHistory.from_events(events[:1])
    for event in events[1:]:
        grown.extend([event])
    whole = PopulationHistory.from_events(events)
    assert intervals(grown).equals(intervals(whole))
    assert lineage(grown).equals(lineage(whole))
    assert (grown.exploits, grown.failures, grown.rate) == (whole.exploits, whole.failures, whole.rate)


@settings(max_examples=30, deadline=None)
@given(studies.filter(lambda study: study.synchronous), st.data())
def test_resume_takes_back_what_is_trained_again(study: PopulationJournal, data: st.DataObject) -> None:
    killed_after = data.draw(st.integers(0, study.generations))
    back_to = data.draw(st.integers(0, killed_after))
    whole = PopulationHistory.from_events(study.events())
    resumed = PopulationHistory.from_events(killed_and_resumed(study.events(), killed_after, back_to))
    columns = [name for name in intervals(whole).columns if name != "time"]
    assert intervals(resumed)[columns].equals(intervals(whole)[columns])
    assert lineage(resumed).equals(lineage(whole))
    assert (resumed.exploits, resumed.failures) == (whole.exploits, whole.failures)
    assert resumed.final is not None


def test_resume_takes_members_back_by_themselves() -> None:
    events = PopulationJournal(size=3, generations=6, synchronous=False).events()[:-1]
    history = PopulationHistory.from_events(events)
    history.extend([{"event": "resume", "generations": [2, 6, 0], "time": events[-1]["time"]}])
    assert [len(life) for life in history.lives] == [2, 6, 0]
    assert history.generation == 0
    assert history.trained == 8
    assert len(intervals(history)) == 8


def test_a_copy_keeps_the_ancestors_that_a_resume_took_back() -> None:
    study = PopulationJournal(size=4, generations=8, synchronous=False, seed=3)
    events = study.events()[:-1]
    history = PopulationHistory.from_events(events)
    before = {member: history.ancestry(member) for member in range(study.size)}
    kept = next(m for m in range(study.size) if len({who for _, who in before[m]}) > 1)
    generations = [8 if member == kept else 0 for member in range(study.size)]
    history.extend([{"event": "resume", "generations": generations, "time": events[-1]["time"]}])
    assert history.ancestry(kept) == before[kept]


def test_a_later_decision_takes_the_place_of_the_one_that_its_interval_has() -> None:
    events = PopulationJournal(size=5, generations=6).events()[:-1]
    place = next(
        n for n, event in enumerate(events) if event.get("parent", event.get("member")) != event.get("member")
    )
    copy = events[place]
    before = PopulationHistory.from_events(events)
    kept = Decision(copy["member"], copy["generation"], copy["member"], copy["config"]).to_event("lost")
    end = next(n for n, event in enumerate(events) if event.get("generation") == copy["generation"] + 1)
    after = PopulationHistory.from_events([*events[:end], {**kept, "time": 0.0}, *events[end:]])
    assert after.exploits == before.exploits - 1 == len(lineage(after))
    record, following = after.lives[copy["member"]][copy["generation"] - 1 : copy["generation"] + 1]
    assert not record.copies and dict(record.next_config) == copy["config"]
    assert following.origin is record
    copied = Decision.from_event(copy).to_event()
    again = PopulationHistory.from_events([*events[:end], kept, copied, *events[end:]])
    assert lineage(again).equals(lineage(before))


def test_reborn_members_have_no_ancestors() -> None:
    events = PopulationJournal(size=2, generations=3).events()
    for event in events:
        if event.get("generation") == 1 and event.get("member") == 1:
            event |= {"parent": 1, "reborn": True}
    history = PopulationHistory.from_events([event for event in events if event["event"] != "final"])
    assert (1, 1) not in history.ancestry(1)
    assert lineage(history).query("reborn")[["generation", "member", "parent"]].to_numpy().tolist() == [
        [1, 1, 1]
    ]


def test_intervals_hold_metrics_losses_and_hyperparameters() -> None:
    study = PopulationJournal(size=3, generations=4, objectives=(ACCURACY, LOSS), failures={(1, 2): "boom"})
    frame = intervals(PopulationHistory.from_events(study.events())).set_index(["member", "generation"])
    assert len(frame) == 12
    assert (frame["loss.accuracy"] == -frame["metric.accuracy"]).sum() == 11
    assert (frame["loss.loss"] == frame["metric.loss"]).sum() == 11
    assert frame.loc[(1, 2), "failure"] == "boom"
    assert math.isnan(frame.loc[(1, 2), "metric.accuracy"])
    assert frame.loc[(0, 1), "config.learning_rate"] == study.events()[1]["config"]["learning_rate"]


def test_lineage_holds_the_parents_loss() -> None:
    history = PopulationHistory.from_events(PopulationJournal(size=5, generations=6).events())
    copies = lineage(history)
    assert len(copies) == history.exploits > 0
    assert (copies["parent_generation"] == copies["generation"]).all()
    for row in copies.itertuples(index=False):
        assert row[-1] == history.losses(row.generation)[row.parent, 0]


def test_losses_are_nan_for_members_that_are_not_there_yet() -> None:
    history = PopulationHistory.from_events(PopulationJournal(size=3, generations=2).events()[:5])
    assert np.isnan(history.losses(1)[:, 0]).tolist() == [False, True, True]


def test_an_unfinished_study_has_frames_and_no_ancestry() -> None:
    history = PopulationHistory.from_events(PopulationJournal(size=3).events()[:4])
    assert intervals(history).empty
    assert lineage(history).empty
    assert history.ancestry(0) == []
    assert history.best() is None
    assert math.isnan(history.rate)


def test_best_is_the_chosen_one_at_the_end_and_the_best_ever_before() -> None:
    events = PopulationJournal(size=6, generations=5).events()
    history = PopulationHistory.from_events(events[:-1])
    best = history.best()
    assert best is not None
    assert best.losses[0] == min(record.losses[0] for record in history.records())
    history.extend([{**events[-1], "member": 4, "generation": 3}])
    best = history.best()
    assert best is not None
    assert (best.member, best.generation) == (4, 3)


def test_rate_counts_the_steps_of_all_members() -> None:
    study = PopulationJournal(size=4, generations=9, interval=10, seconds=0.5)
    assert PopulationHistory.from_events(study.events()).rate == pytest.approx(20.0)


def test_rate_forgets_the_pause_before_a_resume() -> None:
    study = PopulationJournal(size=4, generations=9, interval=10, seconds=0.5)
    history = PopulationHistory.from_events(killed_and_resumed(study.events(), 4, 4, pause=1e6))
    assert history.rate > 15.0


def test_snapshots_and_the_reason_of_a_stop_are_kept() -> None:
    events = PopulationJournal(size=2, generations=2).events()[:-1]
    stop = {"event": "stopped", "reason": "interrupted", "time": 0.0}
    history = PopulationHistory.from_events([*events, snapshot(7, 0.0), stop])
    assert history.snapshots[7] == "snapshots/000007"
    assert history.stopped == "interrupted"
    history.extend([{"event": "resume", "generations": [2, 2], "time": 0.0}])
    assert history.stopped is None


def test_what_does_not_begin_as_a_population_study_is_refused() -> None:
    with pytest.raises(ValueError, match="start of a population study"):
        PopulationHistory.from_events([{"event": "born"}])
    with pytest.raises(ValueError, match="start of a population study"):
        PopulationHistory.from_events([])
