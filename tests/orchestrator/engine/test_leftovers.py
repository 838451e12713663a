"""What killed studies leave behind is found and removed, and nothing else is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.engine.leftovers import OWNER, clean_up, own
from orchestrator.engine.processes import MARK, descendants
from orchestrator.run.interrupt import terminated_in_order

SLEEPS = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"]


def made(parent: Path, name: str, **changed: object) -> Path:
    """A folder of this process, as a Ray would have it, with some changes to what says whose it is."""
    folder = parent / name
    folder.mkdir()
    own(folder)
    owner = json.loads((folder / OWNER).read_text())
    (folder / OWNER).write_text(json.dumps(owner | changed))
    return folder


def test_what_a_dead_process_left_is_removed_with_its_processes(tmp_path: Path) -> None:
    left = made(tmp_path, "ray-left", birth="1")
    process = subprocess.Popen(SLEEPS, env={**os.environ, MARK: str(left)}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    (cleaned,) = clean_up(tmp_path)
    assert str(cleaned) == f"cleaned up what a study that was killed had left: {left} and a process"
    assert process.wait(30) == -signal.SIGKILL
    assert not left.exists() and clean_up(tmp_path) == []


def test_what_lives_or_cannot_be_told_is_left_alone(tmp_path: Path) -> None:
    made(tmp_path, "ray-lives")
    made(tmp_path, "ray-elsewhere", birth="1", machine="another")
    made(tmp_path, "other", birth="1")
    (tmp_path / "ray-of-somebody").mkdir()
    for number, text in enumerate(["", "[]", "null", '{"pid": "x"}', "{}"]):
        folder = tmp_path / f"ray-damaged-{number}"
        folder.mkdir()
        (folder / OWNER).write_text(text)
    (tmp_path / "ray-link").symlink_to(made(tmp_path, "elsewhere", birth="1"))
    before = sorted(tmp_path.rglob("*"))
    assert clean_up(tmp_path) == []
    assert sorted(tmp_path.rglob("*")) == before


GUARDED = """
import subprocess, sys, time
from orchestrator.engine import processes
processes.PARENT_SECONDS = 0.05
processes.end_with_parent()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_process_ends_with_the_one_that_started_it_and_takes_its_own_along() -> None:
    outer = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    parent = subprocess.Popen([sys.executable, "-c", outer, GUARDED], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    grandchild = int(parent.stdout.readline())
    family = descendants(parent.pid)
    assert grandchild in family and len(family) == 2
    parent.kill()
    parent.wait()
    until = time.monotonic() + 30
    while any(_lives(pid) for pid in family):
        assert time.monotonic() < until
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_termination_is_an_interrupt_and_afterwards_what_it_was() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # tests with Ray leave Ray's
    with pytest.raises(KeyboardInterrupt), terminated_in_order():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with terminated_in_order():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
