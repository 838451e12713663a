"""The history tells what the journal says, and counts nothing twice."""

from __future__ import annotations

import math

import pytest

from orchestrator.benchmark.history import BenchmarkHistory, Failure, cells_event
from orchestrator.tracking.benchmark import BenchmarkRecord
from orchestrator.tracking.benchmark_view import BenchmarkView
from tests.orchestrator.benchmark_journals import BenchmarkJournal
from tests.work import instructions

STUDY = BenchmarkJournal(failures={3: "boom", 8: "out of memory"})


def test_everything_is_counted() -> None:
    history = BenchmarkHistory.from_events(STUDY.events())
    assert history.start == STUDY.start()
    assert history.ended == history.start.cells == 24
    assert [failure.reason for failure in history.failures] == ["boom", "out of memory"]
    assert history.finished == {"random": 11, "tpe": 11}
    assert history.failed("tpe") == history.failed("random") == 1
    assert history.rate == pytest.approx(1.5)
    assert history.seconds_left == 0
    assert history.final is not None


def test_lost_cells_have_ended_and_have_not_failed() -> None:
    history = BenchmarkHistory.from_events(STUDY.events()[:1])
    lost = [Failure("task-0", "tpe", 0, "its process died")]
    history.extend([cells_event("cells", {"random": 2}, [], lost, left=1.0, time=2e9)])
    assert (history.ended, history.failures, history.lost) == (3, [], lost)
    assert (history.failed("tpe"), history.lost_of("tpe")) == (0, 1)
    history.extend([STUDY.resumed(2, time=3e9)])
    assert (history.ended, history.lost) == (2, [])


@pytest.mark.parametrize("resumed", [False, True])
def test_starting_up_is_no_cells_time(resumed: bool) -> None:
    events = STUDY.events()
    late = [{**event, "time": event["time"] + 60} for event in events[1:4]]
    first = [events[0], STUDY.resumed(0, time=events[0]["time"])] if resumed else events[:1]
    assert BenchmarkHistory.from_events([*first, *late]).rate == pytest.approx(1.5)


def test_nothing_is_known_at_the_start() -> None:
    history = BenchmarkHistory.from_events(STUDY.events()[:1])
    assert history.ended == 0
    assert math.isnan(history.rate) and math.isnan(history.seconds_left)


@pytest.mark.parametrize("stored", [0, 4, 6, 24], ids="{} stored".format)
def test_a_resumed_study_goes_on_from_what_is_stored_whatever_was_told(stored: int) -> None:
    history = BenchmarkHistory.from_events(STUDY.events()[:3])
    history.extend([{"event": "stopped", "reason": "interrupted", "time": 0.0}])
    before = history.stopped
    history.extend([STUDY.resumed(stored, time=2e9)])
    assert (before, history.stopped) == ("interrupted", None)
    assert history.ended == stored
    assert len(history.failures) == sum(number < stored for number in STUDY.failures)
    assert math.isnan(history.rate), "the pause does not count"


def test_an_extended_study_is_open_again() -> None:
    history = BenchmarkHistory.from_events(STUDY.events())
    longer = BenchmarkJournal(seeds=6, methods=("random", "tpe", "new"))
    history.extend([longer.resumed(24, time=2e9)])
    assert history.final is None
    assert (history.start.cells, history.ended) == (54, 24)


def test_another_kind_of_journal_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the start of a benchmark study, got 'born'"):
        BenchmarkHistory.from_events([{"event": "born"}])


def test_an_event_costs_no_more_the_more_cells_have_failed() -> None:
    def work_per_event(events: int) -> float:
        record = BenchmarkRecord()
        record.feed(STUDY.events()[:1])

        def feed() -> None:
            for seed in range(events):
                failed = [Failure("task-0", "tpe", seed, "boom")]
                record.feed([cells_event("cells", {}, failed, failed, left=1.0, time=2e9 + seed)])
                assert record.history is not None
                BenchmarkView.of(record.history).line()

        return instructions(feed) / events

    assert work_per_event(1000) < 1.5 * work_per_event(100)
