"""What the chaos command takes for lost, doubled and different."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.run.journal import read_journal
from tests.chaos.processes import role
from tests.chaos.results import committed, different, doubled, final, lost, repeated, repeated_most
from tests.orchestrator.journals import PopulationJournal
from tests.orchestrator.search_journals import SearchJournal

STUDY = PopulationJournal(size=3, generations=4)


def events() -> list[dict[str, Any]]:
    return [dict(event) for event in STUDY.events()]


def intervals(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in found if event["event"] == "interval"]


def test_every_interval_is_a_result() -> None:
    assert len(committed(events())) == 12


def test_every_trial_that_ended_is_a_result(tmp_path: Path) -> None:
    SearchJournal(trials=5).write(tmp_path)
    assert len(committed(read_journal(tmp_path / "journal.jsonl"))) == 5


def test_times_make_no_difference() -> None:
    later = [{**event, "time": event["time"] + 100, "seconds": 9.0} for event in events()]
    assert different(final(committed(events())), final(committed(later))) == []


def test_a_result_that_changed_or_is_missing_is_different() -> None:
    changed = events()
    intervals(changed)[4]["losses"] = [123.0]
    changed.remove(intervals(changed)[7])
    found = different(final(committed(events())), final(committed(changed)))
    assert len(found) == 2
    assert lost(committed(events()), committed(changed)) == [found[1]]


def test_rounding_is_no_difference_where_it_is_allowed() -> None:
    rounded, changed = events(), events()
    intervals(rounded)[4]["losses"] = [value * (1 + 1e-6) for value in intervals(rounded)[4]["losses"]]
    intervals(changed)[4]["losses"] = [value + 1 for value in intervals(changed)[4]["losses"]]
    exact = final(committed(events()))
    assert len(different(final(committed(rounded)), exact)) == 1
    assert different(final(committed(rounded)), exact, rounding=1e-4) == []
    assert len(different(final(committed(changed)), exact, rounding=1e-4)) == 1


def test_what_was_computed_again_is_counted_and_the_last_holds() -> None:
    again = events()
    first = {**intervals(again)[0], "losses": [7.0]}
    again.append(first)
    assert sum(repeated(committed(again)).values()) == 1
    assert len(different(final(committed(events())), final(committed(again)))) == 1


def interval(member: int, generation: int) -> tuple[tuple[str, int, int], str]:
    return ("interval", member, generation), ""


def test_a_kill_answers_for_what_a_member_trains_again_until_the_next() -> None:
    course = [interval(0, 1), interval(1, 1), interval(0, 2)]
    again = [*course, interval(0, 1), interval(1, 1), interval(0, 2)]
    assert repeated_most(course, [(3, 3)]) == 0
    assert repeated_most(again, []) == 2
    assert repeated_most(again, [(3, 3)]) == 2
    assert repeated_most(again, [(3, 3), (5, 5)]) == 1


def test_what_an_earlier_kill_lost_may_come_again_after_a_later_one() -> None:
    course = [interval(0, 1), interval(1, 1), interval(0, 1), interval(0, 1)]
    assert repeated_most(course, [(1, 1), (2, 3)]) == 1, "the second was there when the second kill ended"
    assert repeated_most(course, [(1, 1), (2, 2)]) == 1, "a kill may take effect late"
    late = [interval(0, 1), interval(0, 2), interval(1, 1), interval(0, 1), interval(0, 2)]
    assert repeated_most(late, [(0, 0), (3, 3)]) == 2, "the first kill was over before either was there"
    assert repeated_most(late, [(0, 1), (3, 3)]) == 1, "it may have lost the first"


def test_a_trial_that_ended_twice_is_doubled_and_an_interval_is_not() -> None:
    trial = ("ended", 4), ""
    assert doubled([trial, interval(0, 1), interval(0, 1)]) == []
    assert doubled([trial, interval(0, 1), trial]) == [("ended", 4)]


@pytest.mark.parametrize(
    "command, expected",
    [
        ("ray::PopulationCoordinator", "coordinator"),
        ("ray::SearchWorker.train", "worker"),
        ("ray::_Inner.train", "worker"),
        ("ray::IDLE", ""),
        ("/somewhere/ray/core/src/ray/gcs/gcs_server --log_dir=x", "gcs"),
        ("/somewhere/ray/core/src/ray/raylet/raylet --raylet", "raylet"),
        ("python -m orchestrator resume=run", "driver"),
        ("python somewhere/dashboard.py --host=127.0.0.1", ""),
    ],
)
def test_processes_are_told_by_their_command(command: str, expected: str) -> None:
    assert role(command) == expected
