"""One run of a study as chaos sees it: its driver is a process that is started, watched and resumed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.engine.processes import kill
from orchestrator.run.directory import RunDirectory
from tests.chaos import processes
from tests.chaos.results import Result, results_of

PERIOD = 0.2
PATIENCE = 300.0
"""Seconds without a new line in the journal after which a study counts as stuck."""


class Study:
    """One run of a study, whose driver is started, resumed and waited for.

    Args:
        folder: where its run directory and the outputs of its drivers are.
        arguments: the program's.
        mark: what its processes are known by.
        address: of its cluster; None: it starts a Ray of its own.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], mark: str, address: str | None = None) -> None:
        self.run, self.mark = folder / "run", mark
        self.kills = folder / "kills"
        self._folder, self._arguments = folder, arguments
        self._cluster = [f"cluster.address={address}"] if address else []
        self._driver: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        """Start it, or go on with it."""
        begun = (self.run / "journal.jsonl").exists()
        what = [f"resume={self.run}"] if begun else [f"run.dir={self.run}", *self._arguments]
        self.starts += 1
        # Ray's workers would give way to all else that the machine does, at nice 15.
        environment = {"RAY_worker_niceness": "0", **os.environ, processes.MARK: self.mark}
        with (self._folder / f"driver-{self.starts}.log").open("wb") as log:
            command = [sys.executable, "-m", "orchestrator", *what, *self._cluster]
            self._driver = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    @property
    def pid(self) -> int:
        """Its driver's."""
        assert self._driver is not None
        return self._driver.pid

    @property
    def status(self) -> int | None:
        """How its driver ended; None while it runs."""
        assert self._driver is not None
        return self._driver.poll()

    def results(self) -> list[Result]:
        return results_of(RunDirectory(self.run))

    def lines(self) -> int:
        file = self.run / "journal.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def wait(self, lines: float = float("inf")) -> bool:
        """Wait until there are that many more lines, or it has ended; False: it is stuck."""
        last, deadline = self.lines(), time.monotonic() + PATIENCE
        wanted = last + lines
        while self.status is None and last < wanted:
            if time.monotonic() > deadline:
                return False
            time.sleep(PERIOD)
            if (now := self.lines()) != last:
                last, deadline = now, time.monotonic() + PATIENCE
        return True

    def said(self) -> str:
        """The last lines of its driver."""
        return (self._folder / f"driver-{self.starts}.log").read_text(errors="replace")[-1500:]

    def end(self) -> None:
        """End what is left of it."""
        kill(processes.family(self.mark))
