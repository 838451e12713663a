"""What holds for a run of any study, whatever its kind."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.engine.cluster import Cluster
from orchestrator.engine.coordinator import Standing
from orchestrator.engine.crew import COMPLETE
from orchestrator.engine.losses import StudyEndedError, StudyLostError
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Journal
from orchestrator.studies import restarting, working
from orchestrator.studies.lifecycle import carry_out
from tests.conftest import composed


class Scripted:
    """A run that notes what it is asked for; ``work`` does what a test wants."""

    def __init__(self, complete: bool = False, standing: Standing | BaseException = COMPLETE) -> None:
        self.complete = complete
        self.workloads = ()
        self.standing = standing
        self.asked: list[str] = []
        self.begins = True
        self.broken = False

    def __call__(self, study: Any, run: RunDirectory, console: Console) -> Scripted:
        self.run = run
        return self

    def check(self, resume: bool) -> Iterable[str]:
        self.asked.append("check")
        return ["a remark"]

    def place(self, cluster: Cluster) -> int:
        self.asked.append("place")
        return 2

    def opening(self, cluster: Cluster, workers: int, resume: bool) -> str:
        return f"opening with {workers}"

    def begin(self, workers: int) -> Iterable[str]:
        self.asked.append(f"begin {workers}")
        if self.begins:
            with Journal(self.run.journal) as journal:
                journal.append({"event": "start", "time": 0.0})
        return ()

    def work(self, workers: int, stopping: threading.Event) -> Standing:
        self.asked.append(f"work {workers}")
        if isinstance(self.standing, BaseException):
            raise self.standing
        return self.standing

    def conclude(self, standing: Standing) -> int:
        self.asked.append("conclude")
        return 1 if standing.failure else 0

    def results(self) -> Path | None:
        self.asked.append("results")
        if self.broken:
            raise OSError("no room")
        return None

    def closing(self, view: str | None) -> Iterable[str]:
        return ["closing"]


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(working, "connect", lambda *_: nullcontext(Cluster(((2.0, 0.0),), None)))
    return composed("+study=pbt_toy", "tracking=none", "tracking.terminal=false")


def carried_out(run: Scripted, study: dict[str, Any], path: Path) -> int:
    return carry_out(run, study, path, resume=False)


def test_a_run_is_checked_placed_begun_worked_and_concluded(
    study: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Scripted()
    assert carried_out(run, study, tmp_path) == 0
    assert run.asked == ["check", "place", "begin 2", "work 2", "conclude", "results"]
    assert capsys.readouterr().out.splitlines() == ["a remark", "opening with 2", "closing"]


def test_a_complete_run_needs_no_cluster(
    study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Scripted(complete=True)
    monkeypatch.setattr(working, "connect", None)
    assert carried_out(run, study, tmp_path) == 0
    assert run.asked == ["check", "begin 0", "conclude", "results"]


def test_a_study_is_not_lost_with_its_pictures(
    study: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Scripted()
    run.broken = True
    assert carried_out(run, study, tmp_path) == 0
    assert "results are incomplete: OSError: no room" in capsys.readouterr().out


def test_what_fails_before_the_journal_begins_has_nothing_to_conclude(
    study: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Scripted(standing=Standing(False, False, "no worker is left"))
    run.begins = False
    assert carried_out(run, study, tmp_path) == 1
    assert run.asked[-1] == "work 2"
    assert "failed: no worker is left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        (KeyboardInterrupt(), "ended at once; go on with: python -m orchestrator resume="),
        (StudyEndedError("Ray lost the coordinator: bad"), "failed: Ray lost the coordinator: bad"),
    ],
    ids=["a second interrupt", "a coordinator that cannot be made"],
)
def test_the_way_on_is_named_however_a_run_ends(
    raised: BaseException,
    line: str,
    study: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Scripted(standing=raised)
    if isinstance(raised, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            carried_out(run, study, tmp_path)
    else:
        assert carried_out(run, study, tmp_path) == 1
    out = capsys.readouterr().out
    assert line in out and f"go on with: python -m orchestrator resume={tmp_path}" in out


class Lost(Scripted):
    """Loses its coordinator or Ray the first ``losses`` times that it works."""

    def __init__(self, losses: int, ray: bool = False) -> None:
        super().__init__()
        self.losses, self.ray = losses, ray
        self.resumed: list[bool] = []

    def check(self, resume: bool) -> Iterable[str]:
        self.resumed.append(resume)
        return super().check(resume)

    def work(self, workers: int, stopping: threading.Event) -> Standing:
        super().work(workers, stopping)
        self.losses -= 1
        if self.losses >= 0:
            raise StudyLostError("Ray lost the study's coordinator: killed", self.ray)
        return COMPLETE


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(working.time, "sleep", slept.append)
    return slept


def test_a_lost_study_begins_again_from_its_journal_and_says_so_in_one_line(
    study: dict[str, Any], tmp_path: Path, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    run = Lost(2)
    assert carried_out(run, study, tmp_path) == 0
    assert run.resumed == [False, True, True]
    assert run.asked.count("work 2") == 3 and run.asked.count("conclude") == 1
    assert pauses == [1.0, 2.0]
    assert capsys.readouterr().out.splitlines() == [
        "a remark",
        "opening with 2",
        "Ray lost the study's coordinator: killed; "
        "beginning again from the journal in 1 s (2 more restarts within the hour)",
        "Ray lost the study's coordinator: killed; "
        "beginning again from the journal in 2 s (1 more restarts within the hour)",
        "closing",
    ]


@pytest.mark.parametrize("ray", [False, True], ids=["coordinator", "Ray"])
def test_a_study_that_was_to_stop_does_not_begin_again(
    ray: bool,
    study: dict[str, Any],
    tmp_path: Path,
    pauses: list[float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Stopped(Lost):
        def work(self, workers: int, stopping: threading.Event) -> Standing:
            stopping.set()
            return super().work(workers, stopping)

    run = Stopped(2, ray)
    with pytest.raises(KeyboardInterrupt):
        carried_out(run, study, tmp_path)
    assert run.asked.count("work 2") == 1 and not pauses
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Ray lost the study's coordinator: killed before the study had stopped",
        f"ended at once; go on with: python -m orchestrator resume={tmp_path}",
    ]


@pytest.mark.parametrize(("restarts", "works"), [(0, 1), (1, 2)])
def test_restarts_have_an_end_and_then_a_person_is_told_the_way_on(
    restarts: int,
    works: int,
    study: dict[str, Any],
    tmp_path: Path,
    pauses: list[float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Lost(9)
    study["run"]["restarts"] = restarts
    assert carried_out(run, study, tmp_path) == 1
    assert run.asked.count("work 2") == works
    out = capsys.readouterr().out
    assert out.splitlines()[-2:] == [
        "failed: Ray lost the study's coordinator: killed",
        f"go on with: python -m orchestrator resume={tmp_path}",
    ]


def test_a_ray_that_somebody_else_has_connected_is_not_ours_to_start(
    study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Cluster(((2.0, 0.0),), None, ours=False)
    monkeypatch.setattr(working, "connect", lambda *_: nullcontext(theirs))
    run = Lost(1, ray=True)
    assert carried_out(run, study, tmp_path) == 1
    assert run.asked.count("work 2") == 1


def test_a_journal_that_stays_locked_ends_the_study(
    study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(restarting, "UNLOCK_SECONDS", 0.0)
    monkeypatch.setattr(working.time, "sleep", lambda _: None)
    locks: list[Journal] = []
    run = Lost(1)
    run.begin = lambda workers: locks.append(Journal(run.run.journal)) or ()  # type: ignore[method-assign]
    assert carried_out(run, study, tmp_path) == 1
    assert "a run that no other process is working on" in capsys.readouterr().out
    locks[0].close()
