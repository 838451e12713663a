"""When a process that does not get away from a dead Ray calls for help; Ray and time are stood in for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from orchestrator.engine import guard as module
from orchestrator.engine.guard import SILENT_SECONDS, STUCK_SECONDS, Guard


class World:
    """Ray, the time and whoever is called; tests change it while a guard looks."""

    def __init__(self) -> None:
        self.dead: tuple[str, ...] = ()
        self.answers = True
        self.now, self.looks, self.questions = 0.0, 0, 0
        self.reasons: list[str] = []

    def dead_processes(self) -> tuple[str, ...]:
        self.looks += 1
        return self.dead

    def head_answers(self, seconds: float) -> bool:
        self.questions += 1
        return self.answers

    def monotonic(self) -> float:
        return self.now

    def looked(self) -> None:
        """Wait until the guard has seen how things are now."""
        looks, questions = self.looks, self.questions
        until(lambda: self.looks > looks + 1 and self.questions > questions + 1)

    def guard(self) -> Guard:
        return Guard(self.reasons.append)


def until(condition: Callable[[], object]) -> None:
    deadline = time.perf_counter() + 30
    while not condition():
        assert time.perf_counter() < deadline
        threading.Event().wait(0.001)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(module, "ray_private", made)
    monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.001)
    yield made


def test_nobody_is_called_while_ray_lives_or_where_it_is_left_in_time(world: World) -> None:
    with world.guard():
        world.looked()
        world.dead = ("GCS",)
        world.looked()
        world.now += STUCK_SECONDS
        world.looked()
    assert world.reasons == []


def test_whoever_does_not_get_away_from_a_dead_ray_is_helped_once(world: World) -> None:
    with world.guard():
        world.dead = ("GCS", "raylet")
        world.looked()
        world.now += STUCK_SECONDS + 1
        until(lambda: world.reasons)
        world.now += STUCK_SECONDS + 1
        threading.Event().wait(0.02)
    assert world.reasons == ["Ray's GCS and raylet died"]


def test_a_ray_that_is_ended_in_order_has_not_died(world: World) -> None:
    with world.guard() as guard:
        world.looked()
        guard.rest()
        world.dead = ("raylet",)
        world.now += STUCK_SECONDS + 1
        threading.Event().wait(0.02)
    assert world.reasons == []


def test_what_died_before_the_end_began_still_counts(world: World) -> None:
    with world.guard() as guard:
        world.dead = ("GCS",)
        world.looked()
        guard.rest()
        world.now += STUCK_SECONDS + 1
        until(lambda: world.reasons)


def test_a_head_that_answers_no_more_is_gone_but_not_while_ray_starts(world: World) -> None:
    guard = world.guard()
    world.now += SILENT_SECONDS + 1
    with guard:
        world.looked()
        assert world.reasons == []
        world.answers = False
        world.looked()
        world.now += SILENT_SECONDS + 1
        until(lambda: world.reasons)
    assert world.reasons == ["the head of the Ray cluster does not answer"]
