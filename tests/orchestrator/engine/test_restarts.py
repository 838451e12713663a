"""For how long a worker whose process died is started again; Tune's trials are stood in for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from orchestrator.engine.placement import STARTS, _Restarts


def worker() -> Any:
    metadata = SimpleNamespace(num_failures=0)
    return SimpleNamespace(config={"worker": 3}, run_metadata=metadata, pickled_error_file=None)


def die(restarts: _Restarts, trial: Any) -> None:
    trial.run_metadata.num_failures += 1
    restarts.on_trial_recover(1, [trial], trial)


def test_a_worker_without_limit_is_given_up_where_it_cannot_be_set_up() -> None:
    restarts, trial = _Restarts(lambda *_: 0, -1), worker()
    for _ in range(10):
        restarts.on_trial_start(1, [trial], trial)
        die(restarts, trial)
        assert trial.max_failures == -1
    for _ in range(STARTS - 1):
        die(restarts, trial)
    assert trial.max_failures == 0


def test_a_limit_is_as_many_deaths_as_it_says_wherever_they_happen() -> None:
    restarts, trial = _Restarts(lambda *_: 0, 7), worker()
    restarts.on_trial_start(1, [trial], trial)
    for _ in range(6):
        die(restarts, trial)
    assert trial.max_failures == 7 and trial.run_metadata.num_failures == 6


def test_deaths_that_were_not_its_fault_may_happen_again() -> None:
    told: list[tuple[int, str, bool]] = []

    def deaths(*death: Any) -> int:
        told.append(death)
        return 2 if len(told) == 2 else 0

    restarts, trial = _Restarts(deaths, 1), worker()
    for _ in range(3):
        die(restarts, trial)
    assert trial.run_metadata.num_failures == 1
    assert told == [(3, "its process died (killed, or out of memory)", False)] * 3


def test_deaths_of_more_than_an_hour_ago_count_no_more() -> None:
    now = [0.0]
    restarts, trial = _Restarts(lambda *_: 0, 3, lambda: now[0]), worker()
    die(restarts, trial)
    now[0] = 3000.0
    die(restarts, trial)
    restarts.on_trial_result(1, [trial], trial, {})
    assert trial.run_metadata.num_failures == 2
    now[0] = 3601.0
    restarts.on_trial_result(1, [trial], trial, {})
    assert trial.run_metadata.num_failures == 1
    now[0] = 9999.0
    restarts.on_trial_result(1, [trial], trial, {})
    restarts.on_trial_result(1, [trial], trial, {})
    assert trial.run_metadata.num_failures == 0


def test_deaths_that_were_excused_are_not_forgotten_twice() -> None:
    now = [0.0]
    restarts, trial = _Restarts(lambda *_: 2, 3, lambda: now[0]), worker()
    trial.run_metadata.num_failures = 1
    die(restarts, trial)
    now[0] = 9999.0
    restarts.on_trial_result(1, [trial], trial, {})
    assert trial.run_metadata.num_failures == 0
