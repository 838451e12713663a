"""Programs as processes: their streams here, their lives below a supervisor of their session."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads.command.output import Output

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_CHUNK = 1 << 20
_PIPE_SIZE = 1031
"""Linux's request for the size of a pipe."""
_LOOK = 0.05
"""Seconds between two looks at files."""
_PATIENCE = 12.0
"""Seconds beyond the grace period that a supervisor may take to end its processes."""


class ProgramError(RuntimeError):
    """A program did not do what was asked of it; its last output is among the notes."""


@dataclass(frozen=True)
class Limits:
    """What a program may take.

    Args:
        seconds: how long it may run at a time; None: for ever.
        memory: bytes of all of its processes together; 0: whatever there is.
        grace: seconds between SIGTERM and SIGKILL.
    """

    seconds: float | None = None
    memory: int = 0
    grace: float = 5.0


class Supervisor:
    """Runs the programs of one session, one at a time; all of their processes end with it.

    Args:
        limits: of each program.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.line, theirs = socket.socketpair()
        with theirs:
            arguments = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(theirs.fileno())]
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.close: Callable[[], object] = weakref.finalize(
            self, _close, self.line, self._process, limits.grace + _PATIENCE, os.getpid()
        )

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        output: Output,
        *,
        talks: bool = False,
    ) -> Program:
        """Start a program.

        Args:
            arguments: its name or path and what it is given.
            environment: the whole of it.
            directory: where it works.
            output: takes what it prints.
            talks: whether it is written to, by :meth:`Program.write`.

        Raises:
            ProgramError: the supervisor is gone.
        """
        request = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "directory": str(directory),
            "grace": self.limits.grace,
            "memory": self.limits.memory,
        }
        pipes = [os.pipe(), os.pipe()]
        stdin, tell = os.pipe() if talks else (os.open(os.devnull, os.O_RDONLY), None)
        theirs = [stdin, *(write for _, write in pipes)]
        try:
            line = json.dumps(request).encode() + b"\n"
            sent = socket.send_fds(self.line, [line], theirs)
            self.line.sendall(line[sent:])
        except OSError as error:
            _close_all({read for read, _ in pipes}, tell)
            raise ProgramError(
                f"the program did not start: its supervisor is gone ({error.strerror})"
            ) from error
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return Program(self, [read for read, _ in pipes], tell, output)


class Program:
    """A program that has been started, see :meth:`Supervisor.start`."""

    def __init__(self, supervisor: Supervisor, streams: list[int], tell: int | None, output: Output) -> None:
        self._supervisor, self._open, self._tell, self._output = supervisor, set(streams), tell, output
        self._printed, self._answer = streams[0], b""
        self._close = weakref.finalize(self, _close_all, self._open, tell)
        for stream in streams:
            os.set_blocking(stream, False)
            with contextlib.suppress(ImportError, OSError):
                import fcntl

                fcntl.fcntl(stream, _PIPE_SIZE, _CHUNK)

    @property
    def over(self) -> bool:
        """Whether it has ended and all that it printed has been read."""
        return self._answer.endswith(b"\n") and not self._open

    def follow(self, until: Callable[[], bool], looks: Callable[[], object] = lambda: None) -> bool:
        """Read what it prints until that is enough, or it has ended.

        Args:
            until: whether it is enough.
            looks: called now and then.

        Returns:
            Whether it is enough; if not, it has ended.

        Raises:
            ProgramError: it took too long; it has been stopped.
        """
        limit = self._supervisor.limits.seconds
        end = None if limit is None else time.monotonic() + limit
        looks()
        looked = time.monotonic()
        while not until():
            if self.over:
                return False
            wait = _LOOK if end is None else min(_LOOK, max(0.0, end - time.monotonic()))
            self._read(wait)
            if time.monotonic() - looked >= _LOOK:
                looks()
                looked = time.monotonic()
            if end is not None and time.monotonic() >= end and not self.over and not until():
                self.stop()
                raise self.failure(f"took longer than time_limit={limit:g} s")
        return True

    def end(self, looks: Callable[[], object] = lambda: None) -> None:
        """Wait until it has ended by itself.

        Raises:
            ProgramError: it failed or took too long.
        """
        self.follow(lambda: False, looks)
        self.check()

    def check(self) -> None:
        """Hold against a program that is over how it ended.

        Raises:
            ProgramError: it failed.
        """
        answer = json.loads(self._answer)
        code, why = answer["code"], answer["why"]
        if why == "memory":
            raise self.failure(f"took more than memory_limit={self._supervisor.limits.memory / 2**20:g} MiB")
        if why and why != "stopped":
            raise self.failure(f"did not start: {why}")
        if code is None or code < 0:
            raise self.failure(f"was killed by signal {-(code or 0)}")
        if code:
            raise self.failure(f"exited with status {code}")

    def write(self, text: str) -> None:
        """Let it read ``text`` on its standard input.

        Raises:
            ProgramError: it has ended, or reads nothing.
        """
        if self._tell is None:
            raise self.failure("reads no requests any more")
        try:
            os.write(self._tell, text.encode())
        except OSError as error:
            raise self.failure(f"reads no requests ({error.strerror})") from error

    def stop(self) -> None:
        """End it and all of its processes: SIGTERM, then SIGKILL after the grace period."""
        deadline = time.monotonic() + self._supervisor.limits.grace + _PATIENCE
        with contextlib.suppress(OSError):
            self._supervisor.line.sendall(b"\n")
        while not self.over and time.monotonic() < deadline:
            self._read(0.05)
        self._drop()

    def failure(self, what: str) -> ProgramError:
        """An error with the last of what the program printed: a little in its line, more in its notes."""
        last = self._output.last(3)
        printed = f"; it printed last: {' | '.join(last)}" if last else ""
        error = ProgramError(f"the program {what}{printed}")
        if lines := self._output.last(30):
            error.add_note("\n".join(["the last of what it printed:", *lines]))
        return error

    def _read(self, seconds: float) -> None:
        """Take what there is, or wait that long for it."""
        # Standard output first: what is said about an error comes after what led to it.
        sources: list[int | socket.socket] = sorted(self._open, key=lambda stream: stream != self._printed)
        if not self._answer.endswith(b"\n"):
            sources.append(self._supervisor.line)
        poll = select.poll()  # select takes no descriptors above 1023
        for source in sources:
            poll.register(source, select.POLLIN)
        ready = [number for number, _ in poll.poll(seconds * 1000)]
        for number in ready:
            if number in self._open:
                self._take(number)
            elif data := self._supervisor.line.recv(_CHUNK):
                self._answer += data
            else:
                self._answer = b'{"code": null, "why": "its supervisor was killed"}\n'
        if not ready and self._answer.endswith(b"\n"):
            # Somebody out of reach still holds a stream; what the program itself printed has been read.
            self._drop()

    def _drop(self) -> None:
        """Close its streams; their numbers may belong to other files from now on."""
        self._tell = None
        self._close()

    def _take(self, stream: int) -> None:
        with contextlib.suppress(BlockingIOError):
            if data := os.read(stream, _CHUNK):
                self._output.take(data, printed=stream == self._printed)
            else:
                self._open.discard(stream)
                os.close(stream)


def _close_all(streams: set[int], tell: int | None) -> None:
    for descriptor in [*streams, *([] if tell is None else [tell])]:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    streams.clear()


def _close(line: socket.socket, process: subprocess.Popen[bytes], patience: float, owner: int) -> None:
    # A process that the owner forked holds the line too: closing it here would not reach the supervisor. In
    # the fork itself, the program goes on.
    if os.getpid() == owner:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
    line.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
