"""How often a lost study begins again by itself."""

from __future__ import annotations

import pytest

from orchestrator.run import restarts as module
from orchestrator.run.restarts import Restart, Restarts, patiently
from search_spaces import ConfigurationError


def test_each_restart_that_brings_nothing_waits_longer_until_there_are_no_more() -> None:
    restarts = Restarts(3, lambda: 0.0)
    assert [restarts.next(7) for _ in range(4)] == [Restart(1, 2), Restart(2, 1), Restart(4, 0), None]


def test_a_study_that_got_on_meanwhile_begins_again_soon() -> None:
    restarts = Restarts(9, lambda: 0.0)
    found = [restarts.next(results) for results in (0, 0, 5, 5, 5, 6)]
    assert [restart and restart.pause for restart in found] == [1, 2, 1, 2, 4, 1]


def test_another_program_goes_on_counting() -> None:
    variables: dict[str, str] = {}
    restarts = Restarts(3, lambda: 0.0)
    restarts.next(4)
    restarts.next(4)
    restarts.hand_over(variables)
    taken, again = Restarts.taken_over(3, lambda: 0.0, variables)
    assert again and not variables
    assert [taken.next(4), taken.next(4)] == [Restart(4, 0), None]
    assert Restarts.taken_over(3, lambda: 0.0, variables)[1] is False


def test_restarts_of_more_than_an_hour_ago_count_no_more() -> None:
    now = [0.0]
    restarts = Restarts(1, lambda: now[0])
    assert restarts.next(0) == Restart(1, 0)
    now[0] = 3599.0
    assert restarts.next(0) is None
    now[0] = 3600.0
    assert restarts.next(0) == Restart(1, 0)


def test_none_are_allowed_where_none_are_wanted() -> None:
    assert Restarts(0, lambda: 0.0).next(0) is None


def refused(times: int) -> tuple[list[int], object]:
    tried: list[int] = []

    def attempt() -> None:
        tried.append(1)
        if len(tried) <= times:
            raise ConfigurationError("run.dir", "a free one", "this")

    return tried, attempt


def test_what_is_refused_is_tried_again_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses = [0.0], list[float]()
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(module.time, "sleep", sleep)
    tried, attempt = refused(6)
    patiently(attempt, 100)  # type: ignore[arg-type]
    assert len(tried) == 7 and pauses == [0.5, 1, 2, 4, 8, 15]
    with pytest.raises(ConfigurationError):
        patiently(refused(9)[1], 10)  # type: ignore[arg-type]
    assert now[0] == 30.5 + 7.5
