"""However a study on a Ray of its own ends, nothing of it is left, or the next start cleans that up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.engine.processes import kill
from orchestrator.run.directory import RunDirectory
from tests.chaos.processes import MARK, family
from tests.chaos.results import results_of
from tests.chaos.studies import STUDIES

pytestmark = [pytest.mark.ray, pytest.mark.long]

SECONDS = 15.0
"""How long a study's processes may outlive its driver."""

AGENT = "Agent"
"""How the names of Ray's agents of a node end."""

LONG = {
    "population": ("population.generations=2000", "workload.steps=1000000"),
    "search": ("search.trials=5000",),
    "benchmark": ("benchmark.seeds=1000",),
}
"""Each goes on for longer than any test."""


class Driver:
    """A study's program, whose Ray keeps its files in a folder of the test's.

    Args:
        folder: of the run and of temporary files; short, since Ray's sockets lie in it.
        kind: of the study.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.run, self.temporary, self._kind = folder / "run", folder / "tmp", kind
        self.temporary.mkdir()
        self.mark = uuid.uuid4().hex
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin the study, or go on with it."""
        begun = RunDirectory(self.run).journal.exists()
        more = (*STUDIES[self._kind], *LONG[self._kind], "tracking=none", "tracking.terminal=false")
        arguments = (f"resume={self.run}",) if begun else (*more, f"run.dir={self.run}")
        own = {MARK: self.mark, "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **own},
        )

    def wait_for_more(self) -> None:
        """Wait until it has more results."""
        before = len(self._results())
        until(lambda: len(self._results()) > before + 5, 240)

    def signal(self, number: int) -> None:
        """Send it to the driver alone, as ``kill`` does."""
        assert self._process is not None
        self._process.send_signal(number)

    def output(self) -> str:
        """What it has printed, once it has ended."""
        assert self._process is not None
        return self._process.communicate(timeout=120)[0]

    @property
    def status(self) -> int:
        assert self._process is not None
        return self._process.wait()

    def shared_memory(self) -> set[Path]:
        """Names in /dev/shm of what its processes share now."""
        found = set()
        for pid in family(self.mark):
            try:
                lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
            except OSError:
                continue
            found |= {Path(line.split()[5]) for line in lines if " /dev/shm/" in line}
        return found

    def assert_gone(self, shared: set[Path], *, agents: bool = True) -> None:
        """None of its processes, nor what they shared, is there, or will be within some seconds.

        Args:
            agents: nor are the agents of its Ray.
        """

        def left() -> dict[int, str]:
            return {pid: line for pid, line in family(self.mark).items() if agents or AGENT not in line}

        until(lambda: not left(), SECONDS, lambda: str(left()))
        assert [path for path in shared if path.exists()] == []

    @property
    def folders(self) -> list[Path]:
        """Those of its Rays."""
        return sorted(self.temporary.glob("ray-*"))

    def end(self) -> None:
        kill(family(self.mark))
        if self._process is not None:
            self._process.communicate()

    def _results(self) -> list[object]:
        return [*results_of(RunDirectory(self.run))] if self.run.is_dir() else []


def until(condition: Callable[[], bool], seconds: float, state: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, state()
        time.sleep(0.2)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="end-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def driver(folder: Path, request: pytest.FixtureRequest) -> Iterator[Driver]:
    made = Driver(folder, request.param)
    yield made
    made.end()


KINDS = pytest.mark.parametrize("driver", sorted(LONG), indirect=True)


@KINDS
@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT,) * 2, (signal.SIGTERM,) * 2],
    ids=["ctrl_c", "sigterm", "ctrl_c_twice", "sigterm_twice"],
)
def test_a_study_that_is_interrupted_leaves_nothing(
    driver: Driver, signals: tuple[signal.Signals, ...]
) -> None:
    driver.start()
    driver.wait_for_more()
    shared = driver.shared_memory()
    for number in signals:
        driver.signal(number)
        time.sleep(0.3)  # two signals at once may be one
    output = driver.output()
    assert driver.status in (130, -signal.SIGINT), output
    assert f"resume={driver.run}" in output and "Traceback" not in output, output
    driver.assert_gone(shared)
    assert driver.folders == []


@KINDS
def test_what_a_study_that_is_killed_leaves_is_cleaned_by_the_next(driver: Driver) -> None:
    driver.start()
    driver.wait_for_more()
    shared, (left,) = driver.shared_memory(), driver.folders
    driver.signal(signal.SIGKILL)
    driver.output()
    # Agents of Ray want to tell its GCS first that their node is gone, which it is as well: on a busy machine
    # that can take longer. The next start ends them.
    driver.assert_gone(shared, agents=False)
    agents = set(family(driver.mark))
    driver.start()
    driver.wait_for_more()
    assert left not in driver.folders
    assert not agents & set(family(driver.mark))
    driver.signal(signal.SIGINT)
    output = driver.output()
    assert f"cleaned up what a study that was killed had left: {left}" in output, output
    driver.assert_gone(set())
    assert driver.folders == []
