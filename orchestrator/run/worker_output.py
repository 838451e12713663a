"""What a workload prints in a worker's process is kept in a file of the run directory."""

from __future__ import annotations

import io
import logging
import os
import socket
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.run.directory import RunDirectory
from workloads import given

MOST_BYTES = 4 * 1024 * 1024
"""Size of a log beyond which its older half is dropped."""

TRIM_SECONDS = 1.0
"""How often a log's size is looked at."""

RAYS_OWN = (b":actor_name:", b":task_name:", b":job_id:")
"""How lines begin that Ray prints for its own log files, and that are nobody's output."""

STARTING = ("starting",)
"""What a worker does before its first piece of work."""


@dataclass(frozen=True)
class Workplace:
    """Where the workers of a study work.

    Args:
        launch: the directory that the program was started in; a workload's relative paths are meant there.
        logs: the folder of what workers print.
        start: names this start of the study: a resume has another.
        given: the workload that Python handed over, packed; None: the configuration names it.
    """

    launch: Path
    logs: Path
    start: str = ""
    given: bytes | None = None

    @classmethod
    def of(cls, run: RunDirectory) -> Workplace:
        """That of a study which this process has started."""
        return cls(Path.cwd(), run.logs, uuid.uuid4().hex, given.packed())

    def enter(self, worker: str) -> WorkerOutput:
        """Make this process work there from now on; ``worker`` names its log.

        A node of a cluster need not have the launch directory; there the process stays where it is.
        """
        with suppress(OSError):
            os.chdir(self.launch)
        given.accept(self.given)
        return WorkerOutput(self.logs / f"{worker}.log")


class WorkerOutput:
    """Standard output and error of this process, appended to a file from now on.

    The file descriptors are redirected, so the output of native code and of child processes is kept too, and
    is there after a crash. Output of Python is headed by what it belongs to. A file that cannot be opened or
    written loses output, but never fails a workload that prints.

    Args:
        path: the file; nothing is left of it where nothing was printed.
        most: bytes beyond which its older half is dropped.

    Attributes:
        unit: what the process works on, such as ``("trial", 3)``. Setting it costs nothing; it is written
            before the next output.
    """

    def __init__(self, path: Path, most: int = MOST_BYTES) -> None:
        self.unit: tuple[object, ...] = STARTING
        self._path, self._most = path, most
        self._headed: tuple[object, ...] | None = None
        self._before = sys.stdout, sys.stderr
        self._saved: tuple[int, int] | None = None
        self._closed = threading.Event()
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            self._redirect(log)
            os.close(log)

    def close(self) -> None:
        """Print again where the process printed before."""
        if self._saved is None or self._closed.is_set():
            return
        self._closed.set()
        for stream, descriptor, saved in zip((sys.stdout, sys.stderr), (1, 2), self._saved, strict=True):
            with suppress(OSError, ValueError):
                stream.flush()
            os.dup2(saved, descriptor)
        sys.stdout, sys.stderr = self._before
        with suppress(OSError):
            if not self._path.stat().st_size:
                self._path.unlink()

    def write(self, descriptor: int, data: bytes) -> int:
        """Append output of Python, below a heading where it is the first of its unit."""
        if data.startswith(RAYS_OWN):
            return len(data)
        try:
            if self.unit != self._headed:
                self._headed = self.unit
                os.write(descriptor, heading(self.unit).encode())
            return os.write(descriptor, data)
        except OSError:
            return len(data)  # a full disk; what is trained matters more

    def _redirect(self, log: int) -> None:
        for stream in self._before:
            with suppress(OSError, ValueError):
                stream.flush()
        self._saved = os.dup(1), os.dup(2)
        _keep_out("ray", self._saved[1])
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout, sys.stderr = _text(self, 1), _text(self, 2)
        threading.Thread(target=self._watch, name="worker-output", daemon=True).start()

    def _watch(self) -> None:
        while not self._closed.wait(TRIM_SECONDS):
            with suppress(OSError):
                trim(self._path, self._most)


class _Stream(io.RawIOBase):
    """A standard stream that heads its output."""

    def __init__(self, output: WorkerOutput, descriptor: int) -> None:
        self._output, self._descriptor = output, descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: object) -> int:
        return self._output.write(self._descriptor, bytes(data))  # type: ignore[call-overload]


def _text(output: WorkerOutput, descriptor: int) -> io.TextIOWrapper:
    raw = io.BufferedWriter(_Stream(output, descriptor))
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _keep_out(library: str, descriptor: int) -> None:
    """Let a library's loggers write to ``descriptor`` whatever becomes of standard error."""
    stream = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1, closefd=False)
    own = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == library]
    for logger in map(logging.getLogger, own):
        for old in [one for one in logger.handlers if isinstance(one, logging.StreamHandler)]:
            if isinstance(old, logging.FileHandler):
                continue
            new = logging.StreamHandler(stream)
            new.setLevel(old.level)
            new.setFormatter(old.formatter)
            logger.removeHandler(old)
            logger.addHandler(new)


def heading(unit: tuple[object, ...]) -> str:
    """The line above the output of a unit."""
    what = " ".join(str(part) for part in unit)
    return f"--- {what} ({time.strftime('%Y-%m-%d %H:%M:%S')}, {socket.gethostname()}) ---\n"


def trim(path: Path, most: int) -> None:
    """Drop the older part of a file that has more than ``most`` bytes; the newest half of ``most`` stays.

    In place, so that whoever appends to the file goes on; what is appended at that moment may be lost.
    """
    with path.open("r+b") as file:
        if (size := file.seek(0, os.SEEK_END)) <= most:
            return
        file.seek(size - most // 2)
        _, _, tail = file.read(most // 2).partition(b"\n")
        file.truncate(0)
    with path.open("ab") as file:
        file.write(b"[older output was dropped]\n" + tail)


def printed(run: RunDirectory) -> str | None:
    """Where what workers printed is, in one line; None where they printed nothing."""
    try:
        written = any(log.stat().st_size for log in run.logs.glob("*.log"))
    except OSError:
        return None
    return f"what workers printed: {run.logs}" if written else None
