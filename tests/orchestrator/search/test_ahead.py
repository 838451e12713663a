"""An optimizer that thinks for long keeps workers busy, since it is asked ahead of time."""

from __future__ import annotations

import pytest

from orchestrator.search.ahead import MOST, AskAhead
from tests.benchmarks.simulated_cluster import measured


def ahead(workers: int, thinking: float, training: float) -> AskAhead:
    made = AskAhead(workers)
    made.thought(thinking)
    made.trained(training)
    return made


def test_as_many_lie_ready_as_workers_want_while_it_thinks() -> None:
    assert ahead(16, 1.0, 10.0).ready == 3
    assert ahead(4, 1.0, 10.0).ready == 2
    assert ahead(16, 60.0, 10.0).ready == MOST


@pytest.mark.parametrize(("workers", "thinking"), [(1, 5.0), (16, 0.0), (16, 0.1)])
def test_none_lies_ready_where_it_would_only_miss_results(workers: int, thinking: float) -> None:
    """With one worker it would not know the trial before; where it thinks quickly nobody waits."""
    assert ahead(workers, thinking, 10.0).ready == 0
    assert ahead(workers, thinking, 10.0).count(running=0, ready=0) == 0


def test_before_a_trial_has_ended_it_is_asked_for_those_who_are_idle() -> None:
    fresh = AskAhead(16)
    assert fresh.count(running=0, ready=0) == MOST
    fresh.thought(1.0)
    assert fresh.count(running=14, ready=0) == 2
    assert fresh.count(running=16, ready=0) == 0
    assert fresh.ready == 0


def test_it_is_asked_for_those_who_wait_and_for_those_to_come() -> None:
    slow = ahead(16, 1.0, 10.0)
    assert slow.count(running=16, ready=0) == 3
    assert slow.count(running=16, ready=3) == 0
    assert slow.count(running=15, ready=1) == 3
    assert slow.count(running=0, ready=0) == MOST


def test_sixteen_workers_are_busy_although_a_suggestion_takes_a_second_and_a_trial_ten() -> None:
    assert measured("per_ask", 16, 10.0) > 0.95
