"""A gang's hub without Ray, and what is told of a trial whose processes have ended before their time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine import gang
from orchestrator.engine.gang import GangWorker
from orchestrator.engine.gang_hub import GangHub, GangPlace, Lost, TrialError, last_report
from orchestrator.run.directory import RunDirectory
from orchestrator.search.course import Assignment
from orchestrator.search.trials.trial_run import Report
from orchestrator.trial import Suggestion


class WorkersFailedError(Exception):
    def __init__(self, failures: Mapping[int, BaseException]) -> None:
        super().__init__("workers failed")
        self.worker_failures = failures


def test_what_the_workload_raised_is_the_configurations_fault() -> None:
    error = WorkersFailedError({0: TrialError("ValueError: too deep", "Traceback ...")})
    report = last_report(error, None)
    assert isinstance(report, Report)
    assert (report.failure, report.traceback, report.done) == ("ValueError: too deep", "Traceback ...", True)


def test_a_trial_is_lost_where_a_process_died_whatever_that_made_the_others_raise() -> None:
    failures = {
        0: TrialError("RuntimeError: connection closed", ""),
        1: ChildProcessError("killed\nand more"),
    }
    assert last_report(WorkersFailedError(failures), None) == Lost("ChildProcessError: killed")
    assert last_report(RuntimeError("no room"), None) == Lost("RuntimeError: no room")


PEER = TrialError("RuntimeError: [gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]", "")


def test_a_trial_is_lost_where_only_the_others_have_said_that_a_process_is_gone() -> None:
    lost = last_report(WorkersFailedError({0: PEER, 2: PEER}), None)
    assert isinstance(lost, Lost)
    assert lost.reason.startswith("another of its processes is gone: RuntimeError: [gloo")


def test_what_a_process_raised_counts_and_not_what_that_made_the_others_raise() -> None:
    failures: dict[int, Exception] = {0: PEER, 1: TrialError("ValueError: too deep", "Traceback ...")}
    report = last_report(WorkersFailedError(failures), None)
    assert isinstance(report, Report)
    assert (report.failure, report.traceback) == ("ValueError: too deep", "Traceback ...")


def test_a_trial_whose_time_was_over_has_failed_though_its_process_died() -> None:
    report = last_report(WorkersFailedError({0: ChildProcessError("killed")}), "longer than its limit")
    assert isinstance(report, Report)
    assert report.failure == "longer than its limit"


Process = Callable[["Hub", int, int], None]
"""What a process does: given its hub, its gang's number and its rank."""


class Hub(GangHub):
    """A hub whose two processes are threads: gang ``i`` does what ``gangs[i]`` says."""

    def __init__(self, path: Path, *gangs: Process) -> None:
        study: Any = {"search": {"workers": 2, "time_limit": None}}
        super().__init__(GangPlace(study, RunDirectory(path), None, 0), None)  # type: ignore[arg-type]
        self._gangs, self.pool = gangs, ThreadPoolExecutor(8)

    def _trainer(self) -> Any:
        return SimpleNamespace(fit=self._fit)

    def _fit(self) -> None:
        gang, pool = self._gang, ThreadPoolExecutor(2)
        ranks = [pool.submit(self._gangs[gang], self, gang, rank) for rank in range(2)]
        wait(ranks, return_when="FIRST_EXCEPTION")
        failures = {rank: one.exception() for rank, one in enumerate(ranks) if one.done()}
        if any(failures.values()):
            raise WorkersFailedError({rank: error for rank, error in failures.items() if error})

    def give(self, number: int) -> None:
        if not self.begin(Assignment(number, Suggestion({"number": number}))):
            self.pool.submit(self.train)


def trains(hub: Hub, gang: int, rank: int, trials: int = 100) -> None:
    """Train trials with two rungs each, and say in ``seconds`` which one and where."""
    for number in range(trials):
        assignment = hub.work(gang, number)
        if assignment is None:
            return
        for rung, done in enumerate((False, True)):
            if rank == 0:
                hub.put(gang, Report(rung, {}, 10.0 * gang + assignment.number, done=done))
            if done or not hub.goes_on(gang, rung):
                break


def test_one_gang_trains_one_trial_after_another_and_leaves_a_stopped_one(tmp_path: Path) -> None:
    hub = Hub(tmp_path, trains)
    seen = []
    for number in range(4):
        hub.give(number)
        seen.append(hub.next())
        if number == 1:
            hub.stop()
        else:
            seen.append(hub.next())
    hub.leave()
    hub.pool.shutdown()
    assert [(one.fidelity, one.seconds) for one in seen if isinstance(one, Report)] == [
        (0, 0),
        (1, 0),
        (0, 1),
        (0, 2),
        (1, 2),
        (0, 3),
        (1, 3),
    ]


def courses(hub: Hub, number: int) -> list[Report | Lost]:
    """Both reports of a trial that trains on."""
    hub.give(number)
    return [hub.next(), hub.next()]


def course(seconds: float) -> list[Report]:
    return [Report(0, {}, seconds), Report(1, {}, seconds, done=True)]


def test_a_gang_that_fails_between_two_trials_is_replaced_and_no_trial_is_to_blame(tmp_path: Path) -> None:
    given, gone = Event(), Event()

    def fails(hub: Hub, gang: int, rank: int) -> None:
        trains(hub, gang, rank, trials=1)
        if rank == 0:
            assert hub.work(gang, 1) is None
            gone.set()
        elif given.wait(30):
            raise ChildProcessError("killed")

    hub = Hub(tmp_path, fails, trains)
    assert courses(hub, 0) == course(0)
    hub.give(1)
    given.set()
    assert [hub.next(), hub.next()] == course(11), "another gang has trained it"
    hub.begun()
    assert gone.wait(30), "the process that waited has been let go"
    hub.leave()
    hub.pool.shutdown()


def test_after_a_gang_that_fails_in_a_trial_the_next_one_has_another(tmp_path: Path) -> None:
    def fails(hub: Hub, gang: int, rank: int) -> None:
        trains(hub, gang, rank, trials=1)
        hub.work(gang, 1)
        if rank == 0:
            raise TrialError("ValueError: too deep", "")

    def cannot_start(hub: Hub, gang: int, rank: int) -> None:
        raise RuntimeError("no data here")

    hub = Hub(tmp_path, fails, cannot_start, trains)
    assert courses(hub, 0) == course(0)
    hub.give(1)
    assert hub.next() == Report(0, {}, 0.0, "ValueError: too deep", done=True)
    hub.give(2)
    assert hub.next() == Lost("RuntimeError: no data here")
    assert courses(hub, 3) == course(23)
    hub.leave()
    hub.pool.shutdown()


def test_a_hub_says_where_its_processes_live(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    assert hub.group() is None
    hub.placed("a placement group")
    assert hub.group() == "a placement group"


def test_a_gang_that_hangs_takes_its_placement_group_along(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, object]] = []
    hub = SimpleNamespace(group=SimpleNamespace(remote=lambda: "group"))
    monkeypatch.setattr(gang.ray, "get", lambda reference, timeout: reference)
    monkeypatch.setattr(gang.ray, "kill", lambda actor: done.append(("killed", actor)))
    monkeypatch.setattr(gang.ray.util, "remove_placement_group", lambda one: done.append(("removed", one)))
    worker = GangWorker.__new__(GangWorker)
    worker._hub = hub
    worker._dismiss()
    # Not before: Ray Train, which still runs in the hub, would find its processes dead and start others.
    assert done == [("killed", hub), ("removed", "group")] and worker._hub is None
