"""What is told of a trial whose processes have ended before their time."""

from __future__ import annotations

from orchestrator.search.ray_distributed import _last_message, _TrialError


class WorkersFailedError(Exception):
    def __init__(self, failures: dict[int, Exception]) -> None:
        super().__init__("workers failed")
        self.worker_failures = failures


def test_what_the_workload_raised_is_the_configurations_fault() -> None:
    error = WorkersFailedError({0: _TrialError("ValueError: too deep", "Traceback ...")})
    report = _last_message(error, None)["report"]
    assert (report.failure, report.traceback, report.done) == ("ValueError: too deep", "Traceback ...", True)


def test_a_trial_is_lost_where_a_process_died_whatever_that_made_the_others_raise() -> None:
    failures = {
        0: _TrialError("RuntimeError: connection closed", ""),
        1: ChildProcessError("killed\nand more"),
    }
    assert _last_message(WorkersFailedError(failures), None) == {"lost": "ChildProcessError: killed"}
    assert _last_message(RuntimeError("no room"), None) == {"lost": "RuntimeError: no room"}


def test_a_trial_whose_time_was_over_has_failed_though_its_process_died() -> None:
    message = _last_message(WorkersFailedError({0: ChildProcessError("killed")}), "longer than its limit")
    assert message["report"].failure == "longer than its limit"
