"""When a process that does not get away from a dead Ray calls for help; Ray is stood in for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from orchestrator.engine import guard as module
from orchestrator.engine.guard import Guard

SECONDS = 0.05
"""Instead of the eight that a process has."""


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    made = SimpleNamespace(dead=(), answers=True)
    monkeypatch.setattr(module.ray_private, "dead_processes", lambda: made.dead)
    monkeypatch.setattr(module.ray_private, "head_answers", lambda seconds: made.answers)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.005)
    monkeypatch.setattr(module, "STUCK_SECONDS", SECONDS)
    yield made


class Help:
    def __init__(self) -> None:
        self.called, self.reasons = threading.Event(), list[str]()

    def __call__(self, reason: str) -> None:
        self.reasons.append(reason)
        self.called.set()


def test_nobody_is_called_while_ray_lives_or_where_it_is_left_in_time(ray: SimpleNamespace) -> None:
    call = Help()
    with Guard(call):
        assert not call.called.wait(4 * SECONDS)
        ray.dead = ("GCS",)
    assert not call.called.wait(4 * SECONDS)


def test_whoever_does_not_get_away_from_a_dead_ray_is_helped_once(ray: SimpleNamespace) -> None:
    call = Help()
    with Guard(call):
        ray.dead = ("GCS", "raylet")
        assert call.called.wait(30)
        assert not threading.Event().wait(4 * SECONDS)
    assert call.reasons == ["Ray's GCS and raylet died"]


def test_a_ray_that_is_ended_in_order_has_not_died(ray: SimpleNamespace) -> None:
    call = Help()
    with Guard(call) as guard:
        guard.rest()
        ray.dead = ("raylet",)
        assert not call.called.wait(4 * SECONDS)


def test_what_died_before_the_end_began_still_counts(ray: SimpleNamespace) -> None:
    call = Help()
    with Guard(call) as guard:
        ray.dead = ("GCS",)
        while guard._gone_since is None:
            threading.Event().wait(0.001)
        guard.rest()
        assert call.called.wait(30)


def test_a_head_that_answers_no_more_is_gone(ray: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT_SECONDS", SECONDS)
    call = Help()
    with Guard(call):
        assert not call.called.wait(4 * SECONDS)
        ray.answers = False
        assert call.called.wait(30)
    assert call.reasons == ["the head of the Ray cluster does not answer"]
