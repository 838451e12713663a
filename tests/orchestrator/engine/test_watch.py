"""What a driver does where its coordinator, its Ray or a worker is gone; Ray is stood in for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import AuthenticationError, GetTimeoutError, RayActorError

from orchestrator.engine import watch as module
from orchestrator.engine.coordinator import Process
from orchestrator.engine.heartbeat import Heartbeat, Pulse
from orchestrator.engine.losses import StudyLostError
from orchestrator.engine.watch import Watch


class World:
    """How things are: tests change it while a study is watched."""

    def __init__(self) -> None:
        self.pulse: Pulse | Exception = Pulse(77, "here", (), False)
        self.dead: tuple[str, ...] = ()
        self.head = True
        self.ended: list[int] = []
        self.hung = True
        self.said: list[str] = []

    def watch(self, silence: float | None = 30.0) -> Watch:
        handle = SimpleNamespace(pulse=SimpleNamespace(remote=lambda seconds: None))
        return Watch(handle, silence, "worker", self.said.append)

    def get(self, call: object, timeout: float) -> Pulse:
        if isinstance(self.pulse, Exception):
            raise self.pulse
        return self.pulse

    def end_if_hung(self, pid: int, node: str) -> bool:
        self.ended.append(pid)
        return self.hung


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    context = SimpleNamespace(get_node_id=lambda: "elsewhere")
    monkeypatch.setattr(module.ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(module.ray, "get", made.get)
    monkeypatch.setattr(module.ray_private, "dead_processes", lambda: made.dead)
    monkeypatch.setattr(module.ray_private, "head_answers", lambda seconds: made.head)
    monkeypatch.setattr(Watch, "_end_if_hung", lambda _, pid, node: made.end_if_hung(pid, node))
    for name in ("LOOK_SECONDS", "HEAD_SECONDS", "LEAVING_SECONDS", "OVER_SECONDS"):
        monkeypatch.setattr(module, name, 0.01)
    yield made


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def hangs() -> None:
    """What Ray Tune does where nothing comes any more."""
    threading.Event().wait(30)


def test_nothing_happens_while_all_are_well(world: World) -> None:
    with world.watch() as watch:
        time.sleep(0.1)
    assert not watch.halted.is_set() and not world.ended and not world.said


@pytest.mark.parametrize(
    ("happens", "reason", "ray"),
    [
        ({"dead": ("GCS",)}, "Ray's GCS died", True),
        ({"dead": ("GCS", "raylet")}, "Ray's GCS and raylet died", True),
        ({"pulse": RayActorError()}, "Ray lost the study's coordinator: its process died", False),
        ({"pulse": ConnectionError("closed")}, "Ray is gone: ConnectionError: closed", True),
    ],
    ids=["GCS", "both", "coordinator", "connection"],
)
def test_whoever_waits_is_freed_and_told_what_is_lost(
    world: World, happens: dict[str, Any], reason: str, ray: bool
) -> None:
    with pytest.raises(StudyLostError) as lost, world.watch() as watch:
        vars(world).update(happens)
        hangs()
    assert str(lost.value).startswith(reason) and lost.value.ray is ray
    assert watch.halted.is_set()


def test_a_head_that_answers_no_more_is_a_lost_cluster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT_HEAD_SECONDS", 0.2)
    with pytest.raises(StudyLostError, match="the head of the Ray cluster does not answer"), world.watch():
        world.head = False
        hangs()


def test_what_is_raised_after_a_loss_is_that_loss(world: World) -> None:
    with pytest.raises(StudyLostError, match="raylet died"), world.watch():
        world.dead = ("raylet",)
        raise RuntimeError("Ray Tune fell over")
    with pytest.raises(RuntimeError, match="fell over"):
        world.dead = ()
        with world.watch():
            raise RuntimeError("Ray Tune fell over")


@pytest.mark.parametrize("reason", ["WrongClusterID: Perhaps the client …", "InvalidAuthToken"])
def test_a_head_that_knows_nobody_has_taken_the_old_ones_place(world: World, reason: str) -> None:
    expected = StudyLostError if "WrongClusterID" in reason else ValueError
    with pytest.raises(expected) as raised, world.watch():
        try:
            raise AuthenticationError(reason)
        except AuthenticationError as error:
            raise ValueError("Ray Tune could not free what it had") from error
    if isinstance(raised.value, StudyLostError):
        assert raised.value.ray and "another head" in str(raised.value)


def test_an_interrupt_is_no_loss(world: World) -> None:
    with pytest.raises(KeyboardInterrupt), world.watch():
        raise KeyboardInterrupt


def silent(key: str = "k") -> Pulse:
    return Pulse(77, "here", (Heartbeat(3, Process("host", 12, key), "there"),), False)


def test_a_hung_worker_is_ended_once_and_that_is_said(world: World) -> None:
    with world.watch():
        world.pulse = silent()
        until(lambda: world.said)
        time.sleep(0.05)
    assert world.ended == [12]
    assert world.said == [
        "worker 3 (pid 12 on host) gave no sign of life for 30 s: another process takes its place"
    ]


def test_a_silent_worker_that_computes_is_looked_at_again(world: World) -> None:
    world.hung = False
    with world.watch():
        world.pulse = silent()
        until(lambda: len(world.ended) > 2)
    assert not world.said


def test_a_coordinator_that_answers_no_more_is_ended_but_not_while_it_is_made(world: World) -> None:
    answers, world.pulse = world.pulse, GetTimeoutError("no answer")
    with world.watch(silence=0.02):
        time.sleep(0.1)
        assert not world.ended
        world.pulse = answers
        until(lambda: world.pulse is answers)
        time.sleep(0.1)
        world.pulse = GetTimeoutError("no answer")
        until(lambda: world.said)
    assert world.ended == [77]


def test_a_study_that_is_over_does_not_wait_for_workers_without_a_node(world: World) -> None:
    with world.watch() as watch:
        world.pulse = Pulse(77, "here", (), over=True)
        assert watch.halted.wait(30)
