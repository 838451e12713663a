"""A study whose Ray is gone and keeps the driver goes on in a new program."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
from rich.console import Console

from orchestrator.run import anew
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Journal
from orchestrator.run.restarts import VARIABLE, Restarts
from orchestrator.studies import restarting as module
from orchestrator.studies.restarting import Restarting
from tests.conftest import composed


class LeftError(BaseException):
    """What takes a process's place, or ends it."""


def leave(what: object) -> NoReturn:
    raise LeftError(what)


def lost(path: Path, restarts: int, resumed: bool = False) -> Restarting:
    study: dict[str, Any] = composed("+study=pbt_toy", "allow=[mine]")
    counted = Restarts(restarts, time.monotonic)
    return Restarting(study, RunDirectory(path), resumed, False, counted, Console(soft_wrap=True))


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/orchestrator/__main__.py", "resume", "it", "tracking=none"])
    monkeypatch.setattr(module, "begin_anew", leave)
    monkeypatch.setattr(module.os, "_exit", leave)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    monkeypatch.setenv(VARIABLE, "")


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("resumed", [False, True])
def test_another_program_resumes_it_and_knows_of_the_restarts_before(
    tmp_path: Path, resumed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LeftError) as left:
        lost(tmp_path, 3, resumed).anew("Ray's GCS died")
    given = ["resume", "it", "tracking=none"] if resumed else [f"resume={tmp_path}", "allow=[mine]"]
    assert left.value.args == (given,)
    taken, again = Restarts.taken_over(3, time.monotonic, os.environ)
    assert again and (restart := taken.next(0)) is not None and restart.left == 1
    said = "Ray's GCS died; beginning again from the journal in 1 s (2 more restarts within the hour)\n"
    assert capsys.readouterr().out == said


@pytest.mark.usefixtures("program")
def test_too_many_restarts_end_it_with_the_way_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LeftError, match="1"):
        lost(tmp_path, 0).anew("Ray's GCS died")
    failed, way = capsys.readouterr().out.splitlines()
    assert failed == "failed: Ray's GCS died"
    assert way.startswith(f"go on with: python -m orchestrator resume={tmp_path}")


@pytest.mark.usefixtures("program")
def test_a_study_that_was_to_stop_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = lost(tmp_path, 3)
    study.stopping.set()
    with pytest.raises(LeftError, match="130"):
        study.anew("Ray's raylet died")
    said, way = capsys.readouterr().out.splitlines()
    assert said == "Ray's raylet died before the study had stopped"
    assert way.startswith(f"go on with: python -m orchestrator resume={tmp_path}")


def test_a_notebook_is_left_alone(tmp_path: Path) -> None:
    assert not anew.is_program()
    lost(tmp_path, 3).anew("Ray's GCS died")


@pytest.mark.usefixtures("program")
def test_results_shorten_the_pause(tmp_path: Path) -> None:
    study = lost(tmp_path, 9)
    pauses = []
    with Journal(study.run.journal) as journal:
        for event in ("start", "remark", "interval", "remark"):
            journal.append({"event": event})
            restart = study.next("gone")
            pauses.append(restart and restart.pause)
    assert pauses == [1, 2, 1, 2]


STUCK = """
import sys, threading
from orchestrator.run import anew
anew.PROGRAM = "timeit"  # a program that Python has
threading.Timer(0.01, anew.begin_anew, [["-n1", "-r1", "print('another')"]]).start()
threading.Event().wait(60)
"""


def test_a_process_whose_main_thread_is_stuck_becomes_another_program() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("another")
