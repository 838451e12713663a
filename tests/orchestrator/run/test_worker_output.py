"""What a workload prints is kept, whoever prints it, and printing costs no workload its life."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.run import worker_output
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import MOST_BYTES, WorkerOutput, Workplace, printed, trim


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "worker-3.log"


@contextmanager
def kept(log: Path, most: int = MOST_BYTES) -> Iterator[WorkerOutput]:
    """Within a test alone: pytest gives each phase standard streams of its own."""
    output = WorkerOutput(log, most)
    try:
        yield output
    finally:
        output.close()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def test_python_native_code_and_child_processes_are_kept_below_what_they_belong_to(log: Path) -> None:
    with kept(log) as output:
        output.unit = ("trial", 3)
        say("loss 0.5")
        sys.stderr.write("careful\n")
        os.write(1, b"from C\n")
        subprocess.run([sys.executable, "-Sc", "print('from a child')"], check=True)
        output.unit = ("trial", 4)
        output.unit = ("trial", 5)
        say("loss 0.25")
    lines = log.read_text().splitlines()
    assert [line.partition(" (")[0] for line in lines] == [
        "--- trial 3",
        "loss 0.5",
        "careful",
        "from C",
        "from a child",
        "--- trial 5",
        "loss 0.25",
    ]


def test_a_process_that_is_killed_leaves_what_it_printed_and_the_next_goes_on_below(log: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from orchestrator.run.worker_output import WorkerOutput\n"
        "WorkerOutput(Path(sys.argv[1])); print(sys.argv[2]); os.kill(os.getpid(), 9)"
    )
    for text in ("first", "second"):
        subprocess.run([sys.executable, "-c", code, str(log), text], check=False)
    assert [line for line in log.read_text().splitlines() if "---" not in line] == ["first", "second"]


def test_afterwards_the_process_prints_where_it_did(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with kept(log) as output:
        output.close()
        say("loud")
        os.write(2, b"and clear\n")
    assert capfd.readouterr() == ("loud\n", "and clear\n")
    assert not log.exists()  # nothing was printed meanwhile


def test_the_loggers_of_ray_write_where_they_did(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("ray.something")
    logger.addHandler(logging._StderrHandler())  # type: ignore[attr-defined]  # as Ray's own
    logger.propagate = False
    # A Ray that an earlier test started in this process may have quietened all of its loggers.
    logger.setLevel(logging.WARNING)
    try:
        with kept(log):
            logger.warning("about Ray")
            say("about my data")
    finally:
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    assert log.read_text().splitlines()[1:] == ["about my data"]
    assert "about Ray" in capfd.readouterr().err


def test_a_log_keeps_its_newest_part_and_whoever_appends_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("a", buffering=1) as file:
        for number in range(1000):
            file.write(f"line {number}\n")
        trim(path, 1000)
        assert path.stat().st_size < 600
        file.write("and on\n")
        trim(path, 1000)
    lines = path.read_text().splitlines()
    assert lines[0] == "[older output was dropped]"
    assert lines[1:] == [*(f"line {n}" for n in range(1000 - len(lines) + 2, 1000)), "and on"]


def test_a_chatty_process_is_trimmed_while_it_prints(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_output, "TRIM_SECONDS", 0.001)
    with kept(log, most=10_000):
        say("first")
        while "[older" not in (text := log.read_text()):
            say("." * 1000)
    assert "first" not in text
    assert "." * 1000 in log.read_text()


def test_a_full_disk_loses_output_and_no_trial(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with kept(log), monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        say("lost")
        sys.stdout.flush()


def test_a_folder_that_cannot_be_made_leaves_output_where_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file")
    with kept(tmp_path / "logs" / "worker-0.log"):
        say("seen")
    assert capfd.readouterr().out == "seen\n"


def test_a_worker_works_in_the_launch_directory_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "launch").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "launch")
    here = Workplace.of(RunDirectory(tmp_path / "run"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    here.enter("worker-0").close()
    assert Path.cwd() == tmp_path / "launch"
    Workplace(tmp_path / "on another node", here.logs).enter("worker-0").close()
    assert Path.cwd() == tmp_path / "launch"


def test_the_folder_is_named_where_something_was_printed(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert printed(run) is None
    run.logs.mkdir()
    (run.logs / "worker-0.log").touch()
    assert printed(run) is None
    (run.logs / "worker-1.log").write_text("loss 0.5\n")
    assert printed(run) == f"what workers printed: {run.logs}"


def test_what_ray_prints_for_itself_is_not_kept(log: Path) -> None:
    with kept(log):
        say(":actor_name:island-0")
        sys.stderr.write(":actor_name:island-0\n")
    assert not log.exists()
