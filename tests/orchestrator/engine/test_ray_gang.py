"""What is told of a trial whose processes have ended before their time."""

from __future__ import annotations

from orchestrator.engine.gang import Lost, _last_report, _TrialError
from orchestrator.search.trial_run import Report


class WorkersFailedError(Exception):
    def __init__(self, failures: dict[int, Exception]) -> None:
        super().__init__("workers failed")
        self.worker_failures = failures


def test_what_the_workload_raised_is_the_configurations_fault() -> None:
    error = WorkersFailedError({0: _TrialError("ValueError: too deep", "Traceback ...")})
    report = _last_report(error, None)
    assert isinstance(report, Report)
    assert (report.failure, report.traceback, report.done) == ("ValueError: too deep", "Traceback ...", True)


def test_a_trial_is_lost_where_a_process_died_whatever_that_made_the_others_raise() -> None:
    failures = {
        0: _TrialError("RuntimeError: connection closed", ""),
        1: ChildProcessError("killed\nand more"),
    }
    assert _last_report(WorkersFailedError(failures), None) == Lost("ChildProcessError: killed")
    assert _last_report(RuntimeError("no room"), None) == Lost("RuntimeError: no room")


PEER = _TrialError("RuntimeError: [gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]", "")


def test_a_trial_is_lost_where_only_the_others_have_said_that_a_process_is_gone() -> None:
    lost = _last_report(WorkersFailedError({0: PEER, 2: PEER}), None)
    assert isinstance(lost, Lost)
    assert lost.reason.startswith("another of its processes is gone: RuntimeError: [gloo")


def test_what_a_process_raised_counts_and_not_what_that_made_the_others_raise() -> None:
    failures: dict[int, Exception] = {0: PEER, 1: _TrialError("ValueError: too deep", "Traceback ...")}
    report = _last_report(WorkersFailedError(failures), None)
    assert isinstance(report, Report)
    assert (report.failure, report.traceback) == ("ValueError: too deep", "Traceback ...")


def test_a_trial_whose_time_was_over_has_failed_though_its_process_died() -> None:
    report = _last_report(WorkersFailedError({0: ChildProcessError("killed")}), "longer than its limit")
    assert isinstance(report, Report)
    assert report.failure == "longer than its limit"
