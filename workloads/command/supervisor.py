"""The parent of the programs of one session; a script of its own that needs nothing but Python.

It outlives a killed session by as long as it takes to end what the session started. It is a subreaper: what a
program leaves behind, in whatever process group or session, becomes its child and is found. A program and
all of its processes get SIGTERM and, after a grace period, SIGKILL: when the program ends by itself, when the
session asks for it, when the session is gone, and when they take too much memory.

Called with the number of a Unix socket. Each request is one line of JSON with three file descriptors, the
program's standard streams; the answer is one line of JSON: ``{"code": ..., "why": ...}``, the exit status (or
minus the number of a signal) and ``""``, ``"stopped"``, ``"memory"`` or why it could not be started. A line
that is empty ends a program.

What it cannot hold: processes that other programs start for it (a container's, a queue's), and, if somebody
kills this very process, more than the program's own first process, which the kernel kills then.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LOOK_SECONDS = 0.5
"""Between two looks at memory, and at whether the session lives, where no signal tells."""
LONGEST_KILLING = 10.0
"""Seconds after SIGKILL until processes that the kernel does not end are given up."""


class Supervisor:
    def __init__(self, line: socket.socket) -> None:
        self.line, self.session, self.next_look = line, os.getppid(), 0.0
        self.prctl = getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)
        self.prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.woken, write = os.pipe()
        for end in (self.woken, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Run one program after another until the session is gone."""
        while (request := self.request()) is not None:
            answer = self.run(*request)
            try:
                self.line.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                return

    def request(self) -> tuple[dict[str, Any], list[int]] | None:
        """The next request; None if the session is gone."""
        data, streams = b"", array.array("i")
        while not data.endswith(b"\n") or not data.strip():
            data = data.lstrip(b"\n")
            got, extra, _, _ = self.line.recvmsg(1 << 16, socket.CMSG_LEN(3 * streams.itemsize))
            if not got:
                return None
            for _, _, content in extra:
                streams.frombytes(content[: len(content) - len(content) % streams.itemsize])
            data += got
        return json.loads(data), list(streams)

    def run(self, request: dict[str, Any], streams: list[int]) -> dict[str, Any]:
        """Start a program, wait for its end and end what it leaves."""
        child, failure = self.start(request, streams)
        for stream in streams:
            os.close(stream)
        if failure:
            os.waitpid(child, 0)
            return {"code": 127, "why": failure}
        code, why = None, ""
        while code is None:
            select.select([self.woken, self.line.fileno()], [], [], LOOK_SECONDS)
            code = self.reap(child)
            if code is None and not why:
                why = self.verdict(request["memory"])
                if why:
                    code = self.end(child, request["grace"])
        rest = self.end(child, request["grace"])
        return {"code": code if code is not None else rest, "why": why}

    def start(self, request: dict[str, Any], streams: list[int]) -> tuple[int, str]:
        """Fork the program; returns its number and, if it did not start, why."""
        told, tell = os.pipe()
        parent = os.getpid()
        child = os.fork()
        if not child:
            try:
                os.setsid()
                self.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(127)
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                for target, stream in enumerate(streams):
                    os.dup2(stream, target)
                os.closerange(3, tell)
                os.closerange(tell + 1, 256)
                os.chdir(request["directory"])
                os.execvpe(request["arguments"][0], request["arguments"], request["environment"])
            except BaseException as error:  # noqa: BLE001 - whatever it is, the session is told
                os.write(tell, str(getattr(error, "strerror", None) or error).encode())
            os._exit(127)
        os.close(tell)
        failure = os.read(told, 1000).decode(errors="replace")
        os.close(told)
        return child, failure

    def reap(self, child: int) -> int | None:
        """Bury whoever has died; the program's exit status if it is among them."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.woken, 4096)
        code = None
        try:
            while True:
                number, status = os.waitpid(-1, os.WNOHANG)
                if not number:
                    return code
                if number == child:
                    code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            return code

    def verdict(self, memory: float) -> str:
        """Why the program has to end now; empty if it may go on."""
        if os.getppid() != self.session or select.select([self.line], [], [], 0)[0]:
            return "stopped"
        if memory and time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + LOOK_SECONDS
            return "memory" if sum(map(held, descendants())) > memory else ""
        return ""

    def end(self, child: int, grace: float) -> int | None:
        """End all processes; returns the program's exit status if it was still one of them."""
        began, code, asked, forced = time.monotonic(), None, False, False
        while self.have_children():
            passed = time.monotonic() - began
            if not asked or passed >= grace:
                # Repeated: what is forked meanwhile is killed too.
                asked, forced = True, passed >= grace
                for number in descendants():
                    with contextlib.suppress(OSError):
                        os.kill(number, signal.SIGKILL if forced else signal.SIGTERM)
            if passed > grace + LONGEST_KILLING:
                return code
            left = 0.02 if forced else min(LOOK_SECONDS, max(grace - passed, 0.001))
            select.select([self.woken], [], [], left)
            died = self.reap(child)
            code = died if died is not None else code
        return code

    def have_children(self) -> bool:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True


def descendants() -> list[int]:
    """All processes below this one."""
    below: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parent = int((place / "stat").read_bytes().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            below.setdefault(parent, []).append(int(place.name))
    found, ahead = [], [os.getpid()]
    while ahead:
        children = below.get(ahead.pop(), [])
        found += children
        ahead += children
    return found


def held(number: int) -> int:
    """Bytes of memory that a process holds; what it shares with others counts in part."""
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_bytes().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))
    except (OSError, IndexError, ValueError):
        return 0


if __name__ == "__main__":
    # The lowest number that is free: select takes none above 1023, and programs must not inherit the line.
    own = os.dup(int(sys.argv[1]))
    os.close(int(sys.argv[1]))
    Supervisor(socket.socket(fileno=own)).serve()
