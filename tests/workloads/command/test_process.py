"""Programs below their supervisor: descriptors, ends and forks."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workloads.command.programs import CONFIG, device, made
from workloads.command.output import Output
from workloads.command.process import Limits, Program, ProgramError, Supervisor

HIGH = 1100
"""A descriptor that select does not take."""


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    found = Supervisor(Limits(grace=0.2))
    yield found
    found.close()


def started(supervisor: Supervisor, script: str, said: list[bytes], *, talks: bool = False) -> Program:
    output = Output(None, 1024, "", said.append)
    return supervisor.start(["sh", "-c", script], {**os.environ}, Path.cwd(), output, talks=talks)


def descriptors() -> set[str]:
    return {place.name for place in Path("/proc/self/fd").iterdir() if place.exists()}


def moved(number: int) -> int:
    """The same file under a high number."""
    high = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(number)
    return high


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * HIGH, reason="few descriptors are allowed"
)
def test_descriptors_may_have_high_numbers_and_reach_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, pair = os.pipe, socket.socketpair

    def sockets() -> tuple[socket.socket, ...]:
        return tuple(socket.socket(fileno=moved(one.detach())) for one in pair())

    said: list[bytes] = []
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socketpair", sockets)
        supervisor = Supervisor(Limits(grace=0.2))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pipe", lambda: tuple(map(moved, pipe())))
            program = started(supervisor, "ls /proc/$$/fd", said)
        program.end()
    finally:
        supervisor.close()
    assert b"".join(said).split() == [b"0", b"1", b"2"]


def test_a_supervisor_ends_although_a_fork_of_its_session_holds_the_line() -> None:
    supervisor = Supervisor(Limits(grace=0.2))
    held = os.dup(supervisor.line.fileno())  # as a worker of a data loader holds it
    try:
        supervisor.close()
        assert supervisor._process.returncode == 0
    finally:
        os.close(held)


def test_a_fork_that_closes_its_copy_leaves_the_program_running(supervisor: Supervisor) -> None:
    said: list[bytes] = []
    program = started(supervisor, "read line; echo $line", said, talks=True)
    if not (child := os.fork()):
        supervisor.close()
        os._exit(0)
    os.waitpid(child, 0)
    program.write("on\n")
    program.end()
    assert b"".join(said) == b"on\n"


def test_a_program_that_was_stopped_reads_nothing_any_more(supervisor: Supervisor, tmp_path: Path) -> None:
    program = started(supervisor, "cat", [], talks=True)
    tell = program._tell
    assert tell is not None
    program.stop()
    with (tmp_path / "other").open("wb") as other:
        if other.fileno() != tell:
            os.dup2(other.fileno(), tell)
        with pytest.raises(ProgramError, match="reads no requests any more"):
            program.write("request")
        if other.fileno() != tell:
            os.close(tell)
    assert (tmp_path / "other").read_bytes() == b""


def test_a_program_cannot_start_below_a_supervisor_that_is_gone(supervisor: Supervisor) -> None:
    supervisor._process.kill()
    supervisor._process.wait()
    before = descriptors()
    with pytest.raises(ProgramError, match="did not start: its supervisor is gone"):
        started(supervisor, ":", [], talks=True)
    assert descriptors() == before


def test_an_argument_that_is_no_utf_8_can_be_logged(tmp_path: Path) -> None:
    Output(tmp_path / "log", 1024, os.fsdecode(b"train \xff"), print)
    assert (tmp_path / "log").read_text() == "--- train \\udcff ---\n"


FAILS_ONCE = """
import json, os, sys
fails = True
for line in sys.stdin:
    request = json.loads(line)
    answer = {"done": request["do"], "loss": 1}
    if request["do"] == "save":
        open(request["folder"] + "/x", "w").close()
        if fails:
            fails, answer = False, {"error": "disk full"}
    print(json.dumps(answer), flush=True)
"""


def test_a_served_program_may_save_after_a_failed_save(tmp_path: Path) -> None:
    workload = made(command=["{python}", "-I", "-S", "-c", FAILS_ONCE], serve=True)
    session = workload.start(CONFIG, 1, device(tmp_path))
    session.advance(1)
    with pytest.raises(ProgramError, match="disk full"):
        session.state()
    assert not list((tmp_path / "scratch").glob("*/save"))
    assert session.state()["checkpoint"] is not None
