"""Who counts as silent, and which silent processes are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from orchestrator.engine.coordinator import Process
from orchestrator.engine.heartbeat import Heart, Heartbeat, Heartbeats
from orchestrator.engine.processes import MARK, kill, kill_if_hung, marked


def beat(worker: int, key: str = "first") -> Heartbeat:
    return Heartbeat(worker, Process("here", 1, key), "node")


def test_whoever_is_not_heard_for_long_is_silent_until_heard_or_ended() -> None:
    now = [0.0]
    beats = Heartbeats(lambda: now[0])
    beats.hear(beat(0))
    beats.hear(beat(1))
    now[0] = 30.0
    assert beats.silent(30) == ()
    beats.hear(beat(1))
    now[0] = 30.1
    assert beats.silent(30) == (beat(0),)
    beats.hear(beat(0, "another"))
    assert beats.silent(30) == ()
    now[0] = 100.0
    beats.forget(1)
    assert beats.silent(30) == (beat(0, "another"),)


def test_a_heart_beats_at_once_and_survives_a_coordinator_that_is_away() -> None:
    beats, often = list[int](), threading.Event()

    def tell() -> None:
        beats.append(1)
        if len(beats) >= 3:
            often.set()
        if len(beats) > 1:
            raise ConnectionError("no coordinator")

    heart = Heart(tell, 0.02)
    assert beats
    assert often.wait(10)
    heart.stop()


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()


SLEEPS, COMPUTES = "import time; print(flush=True); time.sleep(60)", "print(flush=True)\nwhile True: pass"


def start(children: list[subprocess.Popen[bytes]], code: str, **variables: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", code]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **variables})
    children.append(child)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def test_a_silent_process_is_ended_unless_it_computes(children: list[subprocess.Popen[bytes]]) -> None:
    waiting, computing = start(children, SLEEPS), start(children, COMPUTES)
    assert kill_if_hung(waiting.pid, 0.2)
    assert waiting.wait(10) == -signal.SIGKILL
    assert not kill_if_hung(computing.pid, 0.5) and computing.poll() is None
    computing.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, computing.pid, os.WSTOPPED)  # it may have to wait for its turn to stop
    assert kill_if_hung(computing.pid, 0.2)
    assert computing.wait(10) == -signal.SIGKILL


def test_a_process_that_others_keep_from_computing_is_not_hung(
    children: list[subprocess.Popen[bytes]],
) -> None:
    starved, *others = [start(children, COMPUTES) for _ in range(5)]
    one_cpu = {min(os.sched_getaffinity(0))}
    os.setpriority(os.PRIO_PROCESS, starved.pid, 19)
    for child in (starved, *others):
        os.sched_setaffinity(child.pid, one_cpu)
    assert not kill_if_hung(starved.pid, 0.5) and starved.poll() is None


def test_all_that_a_marked_process_starts_is_found(children: list[subprocess.Popen[bytes]]) -> None:
    inner = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    outer = start(children, f"{inner}; {SLEEPS}", **{MARK: "/this/one"})
    start(children, SLEEPS, **{MARK: "/this/one/not"})
    found = marked("/this/one")
    assert outer.pid in found and len(found) == 2
    kill(found)
    outer.wait()
    until = time.monotonic() + 30
    while marked("/this/one"):  # The inner one is nobody's child that could be waited for.
        assert time.monotonic() < until
        time.sleep(0.01)
