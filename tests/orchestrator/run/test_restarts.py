"""How often a lost study begins again by itself."""

from __future__ import annotations

import pytest

from orchestrator.run import restarts as module
from orchestrator.run.restarts import Restart, Restarts, patiently
from search_spaces import ConfigurationError


def test_each_restart_within_the_hour_waits_longer_until_there_are_no_more() -> None:
    restarts = Restarts(3, lambda: 0.0)
    assert [restarts.next() for _ in range(4)] == [Restart(1, 2), Restart(2, 1), Restart(4, 0), None]


def test_restarts_of_more_than_an_hour_ago_count_no_more() -> None:
    now = [0.0]
    restarts = Restarts(1, lambda: now[0])
    assert restarts.next() == Restart(1, 0)
    now[0] = 3599.0
    assert restarts.next() is None
    now[0] = 3600.0
    assert restarts.next() == Restart(1, 0)


def test_none_are_allowed_where_none_are_wanted() -> None:
    assert Restarts(0, lambda: 0.0).next() is None


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
