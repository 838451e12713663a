"""Cells: budgets, failures, seeds and times."""

from __future__ import annotations

import errno
import math
import subprocess
import sys
from collections.abc import Callable

import pytest

from orchestrator.benchmark.cell import Setup, optimizer_course, run_cell
from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.task import Task
from orchestrator.optimizers.grid import GridSearch
from orchestrator.optimizers.random import RandomSearch
from orchestrator.search import Optimizer
from search_spaces import Config, ConfigurationError, build_space
from tests.orchestrator.benchmark.scripted import LOSS, Recorded, Scripted, n_of, task, timed
from workloads.capabilities import Facts
from workloads.contract import Device, Fidelity, Objective
from workloads.function import FunctionSession

KEY = CellKey("suite/n=1", "method", 3)
EPOCHS = Fidelity("epoch", 1, 9)


def _run(given: Task, make: Callable[[], Optimizer], key: CellKey, setup: Setup | None = None) -> CellResult:
    return run_cell(lambda: optimizer_course(given, make, key.seed, setup or Setup()), key, "digest")


def cell(given: Task, optimizer: Optimizer, time_limit: float | None = None, workers: int = 1) -> CellResult:
    return _run(given, lambda: optimizer, KEY, Setup(workers=workers, time_limit=time_limit))


def plain(config: Config) -> float:
    return float(config["n"])


def by_epoch(config: Config, fidelity: int) -> float:
    return float(config["n"]) / fidelity


def test_the_whole_budget_is_spent() -> None:
    found = cell(task(Recorded(plain), evaluations=4), Scripted(range(9)))
    assert (found.key, found.digest, found.status, found.reason) == (KEY, "digest", "finished", "")
    assert [one.trial.losses for one in found.evaluations] == [(0.0,), (1.0,), (2.0,), (3.0,)]
    assert [(one.cost, one.start, one.end, one.worker) for one in found.evaluations] == [
        (1, 0, 1, 0),
        (1, 1, 2, 0),
        (1, 2, 3, 0),
        (1, 3, 4, 0),
    ]


def test_the_last_evaluation_is_told() -> None:
    optimizer = Scripted(range(9))
    cell(task(Recorded(plain), evaluations=2), optimizer)
    assert optimizer.log == ["ask 0", "tell 0", "ask 1", "tell 1"]


def test_less_than_full_fidelity_costs_its_share() -> None:
    given = task(Recorded(by_epoch, fidelity=EPOCHS), evaluations=2, multi_fidelity=True)
    found = cell(given, Scripted([(1, 3), (2, 1), (3, 9), (4, 5), (5, 9)]))
    assert [(one.trial.fidelity, one.cost) for one in found.evaluations] == [
        (3, 3 / 9),
        (1, 1 / 9),
        (9, 1),
        (5, 5 / 9),
    ]
    assert [one.trial.losses[0] for one in found.evaluations] == [1 / 3, 2.0, 3 / 9, 4 / 5]


def test_shares_add_up_exactly() -> None:
    given = task(Recorded(by_epoch, fidelity=Fidelity("epoch", 1, 10)), 1, multi_fidelity=True)
    assert len(cell(given, Scripted([(1, 1)] * 20)).evaluations) == 10


def test_a_suggestion_that_does_not_fit_ends_the_cell() -> None:
    given = task(Recorded(by_epoch, fidelity=EPOCHS), evaluations=1, multi_fidelity=True)
    optimizer = Scripted([(1, 5), (2, 5), (3, 1)])
    found = cell(given, optimizer)
    assert [one.trial.fidelity for one in found.evaluations] == [5]
    assert (found.status, optimizer.log) == ("finished", ["ask 1", "tell 1", "ask 2"])


def test_what_runs_ends_where_the_next_suggestion_does_not_fit() -> None:
    given = task(Recorded(by_epoch, fidelity=EPOCHS), evaluations=1, multi_fidelity=True)
    found = cell(given, Scripted([(1, 4), (2, 3), (3, 9)]), workers=3)
    assert [one.trial.fidelity for one in found.evaluations] == [3, 4]


def test_nothing_is_asked_for_where_nothing_fits() -> None:
    given = task(Recorded(by_epoch, fidelity=Fidelity("epoch", 3, 9)), 1, multi_fidelity=True)
    optimizer = Scripted([(1, 7), (2, 3)])
    cell(given, optimizer)
    assert optimizer.log == ["ask 1", "tell 1"]


def test_an_exhausted_space_ends_the_cell() -> None:
    found = cell(task(Recorded(plain), evaluations=9), Scripted([4, 5]))
    assert (found.status, len(found.evaluations)) == ("finished", 2)
    assert found.reason == "the optimizer had nothing left to suggest after 2 of 9 evaluations"


@pytest.mark.parametrize("workers", [1, 3])
def test_a_cell_that_spends_its_budget_does_not_end_early(workers: int) -> None:
    assert cell(task(Recorded(plain), evaluations=4), Scripted(range(4)), workers=workers).reason == ""


def test_an_optimizer_that_waits_for_results_has_not_ended_early() -> None:
    found = cell(task(Recorded(plain), evaluations=2), Scripted([0, None, 1]), workers=2)
    assert (len(found.evaluations), found.reason) == (2, "")


@pytest.mark.parametrize("fidelity", [0, -1, 10])
def test_impossible_fidelities_are_the_methods_failure(fidelity: int) -> None:
    given = task(Recorded(by_epoch, fidelity=EPOCHS), evaluations=2, multi_fidelity=True)
    found = cell(given, Scripted([(1, 1), (2, fidelity)]))
    assert (found.status, len(found.evaluations)) == ("failed", 1)
    assert (
        found.reason
        == f"ValueError: the optimizer suggested fidelity {fidelity}, expected a fidelity from 1 to 9"
    )


def test_a_black_box_has_full_fidelity_only() -> None:
    given = task(Recorded(by_epoch, fidelity=EPOCHS), evaluations=2)
    found = cell(given, Scripted([1, (2, 3)]))
    assert found.evaluations[0].trial.fidelity == 9
    assert (found.status, len(found.evaluations)) == ("failed", 1)


def failing(config: Config) -> dict[str, float]:
    n = config["n"]
    if n == 1:
        raise RuntimeError("no\n  memory")
    if n == 2:
        return {"other": 1.0}
    if n == 3:
        return {"loss": math.nan}
    if n == 4:
        return {"loss": "high"}  # type: ignore[dict-item]
    return {"loss": float(n)}


def test_failing_evaluations_are_failed_trials() -> None:
    optimizer = Scripted(range(6))
    found = cell(task(Recorded(failing), evaluations=6), optimizer)
    trials = [one.trial for one in found.evaluations]
    assert found.status == "finished"
    assert [trial.status for trial in trials] == ["finished", *["failed"] * 4, "finished"]
    assert trials[1].reason == "RuntimeError: no memory"
    assert "did not report 'loss'; it reported ['other']" in trials[2].reason
    assert trials[3].reason == "not a finite number: loss = nan"
    assert trials[4].reason == "TypeError: failing: expected 'loss' to be a number, got 'high'"
    assert [one.cost for one in found.evaluations] == [1.0] * 6
    assert optimizer.log[-1] == "tell 5"


def test_failed_trials_have_as_many_losses_and_violations_as_others() -> None:
    objectives, constraint = (LOSS, Objective("size", "max", bound=0.0)), Objective("g", bound=1.0)

    def function(config: Config) -> dict[str, float]:
        if config["n"] == 0:
            raise ValueError
        return {"loss": 1.0, "size": 2.0, "g": 3.0}

    given = task(Recorded(function, objectives=objectives, constraints=(constraint,)), evaluations=2)
    optimizer = Scripted([0, 1], objectives)
    optimizer.bounded = (objectives[1], constraint)
    failed, finished = (one.trial for one in cell(given, optimizer).evaluations)
    assert (finished.losses, finished.violations) == ((1.0, -2.0), (-2.0, 2.0))
    assert (len(failed.losses), len(failed.violations)) == (2, 2)
    assert failed.reason == "ValueError"


def test_an_optimizer_that_raises_keeps_its_evaluations() -> None:
    found = cell(task(Recorded(plain), evaluations=5), Scripted([0, 1, KeyError("lost"), 2]))
    assert (found.status, found.reason, len(found.evaluations)) == ("failed", "KeyError: 'lost'", 2)


def test_an_optimizer_that_raises_when_told_keeps_what_it_was_told() -> None:
    class Deaf(Scripted):
        def _learn(self, trial: object) -> None:
            raise ArithmeticError

    found = cell(task(Recorded(plain), evaluations=5), Deaf(range(5)))
    assert (found.status, found.reason, len(found.evaluations)) == ("failed", "ArithmeticError", 1)


def test_an_optimizer_that_cannot_be_made_fails() -> None:
    def make() -> Optimizer:
        raise ConfigurationError("optimizer", "another", "this")

    found = _run(task(Recorded(plain), 2), make, KEY)
    assert (found.status, found.evaluations) == ("failed", ())
    assert found.reason == "ConfigurationError: optimizer: expected another, got 'this'"


def test_interrupts_pass_through() -> None:
    def function(config: Config) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cell(task(Recorded(function), evaluations=2), Scripted(range(2)))


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EMFILE, "files")]
)
def test_a_machine_without_room_loses_the_cell_whoever_needed_it(error: Exception) -> None:
    def function(config: Config) -> float:
        raise error

    for found in (
        cell(task(Recorded(function), evaluations=2), Scripted(range(2))),
        cell(task(Recorded(plain), evaluations=2), Scripted([0, error])),
    ):
        assert (found.status, found.evaluations) == ("lost", ())
        assert found.reason.startswith(type(error).__name__)


def test_a_missing_file_is_the_evaluations_failure() -> None:
    def function(config: Config) -> float:
        raise FileNotFoundError(errno.ENOENT, "No such file")

    found = cell(task(Recorded(function), evaluations=1), Scripted([0]))
    assert (found.status, found.evaluations[0].trial.status) == ("finished", "failed")


def test_a_broken_device_ends_the_process() -> None:
    class AcceleratorError(RuntimeError):
        """As torch names it."""

    def function(config: Config) -> float:
        raise AcceleratorError

    with pytest.raises(AcceleratorError):
        cell(task(Recorded(function), evaluations=2), Scripted(range(2)))


def noisy(config: Config, seed: int) -> float:
    return float(seed)


def seeds_of(workload: Recorded, seed: int) -> list[float]:
    key = CellKey("suite/n=1", "method", seed)
    found = _run(task(workload, evaluations=3), lambda: Scripted([5, 6, 5]), key)
    return [one.trial.losses[0] for one in found.evaluations]


def test_training_seeds_depend_on_the_cell_and_the_configuration_and_a_repeat_has_another() -> None:
    first, second, again = seeds_of(Recorded(noisy), seed=0)
    assert len({first, second, again}) == 3
    assert seeds_of(Recorded(noisy), seed=0) == [first, second, again]
    assert set(seeds_of(Recorded(noisy), seed=1)).isdisjoint([first, second])


def test_workloads_compute_on_the_device_that_is_given() -> None:
    found: list[Device] = []

    class Told(Recorded):
        def start(self, config: Config, seed: int, device: Device) -> FunctionSession:
            found.append(device)
            return super().start(config, seed, device)

    given = task(Told(plain), evaluations=1)
    _run(given, lambda: Scripted([0]), KEY)
    _run(given, lambda: Scripted([0]), KEY, Setup(device=Device("cuda", 3)))
    assert found == [Device("cpu", 1), Device("cuda", 3)]


def test_recorded_times() -> None:
    found = cell(task(timed([2.0, 0.5, -1.0]), evaluations=3), Scripted(range(3)))
    assert [(one.start, one.end, one.trial.seconds) for one in found.evaluations] == [
        (0.0, 2.0, 2.0),
        (2.0, 2.5, 0.5),
        (2.5, 2.5, 0.0),
    ]


def test_failing_evaluations_take_their_recorded_time_where_there_is_one() -> None:
    reports = [{"loss": math.nan, "time": 2.0}, {"time": 3.0}, {"loss": 1.0}, {"loss": 1.0, "time": math.inf}]

    def function(config: Config) -> dict[str, float]:
        return reports[int(config["n"])]  # there is no fifth

    given = task(Recorded(function, facts=Facts(seconds="time")), evaluations=5)
    found = cell(given, Scripted(range(5)))
    assert [one.trial.status for one in found.evaluations] == ["failed"] * 5
    assert [one.end - one.start for one in found.evaluations] == [2.0, 3.0, 0.0, 0.0, 0.0]
    assert "recorded time 'time'" in found.evaluations[2].trial.reason
    assert found.evaluations[3].trial.reason == "ValueError: not a finite number: time = inf"


def test_the_time_limit_is_for_recorded_times_only() -> None:
    recorded = cell(task(timed([2.0] * 5), evaluations=5), Scripted(range(5)), time_limit=4.0)
    unrecorded = cell(task(Recorded(plain), evaluations=5), Scripted(range(5)), time_limit=4.0)
    assert (len(recorded.evaluations), len(unrecorded.evaluations)) == (2, 5)
    assert recorded.status == "finished"


def test_without_recorded_times_the_cost_is_the_time() -> None:
    given = task(Recorded(by_epoch, fidelity=EPOCHS), evaluations=2, multi_fidelity=True)
    found = cell(given, Scripted([(1, 9), (2, 3), (3, 6)]), workers=2)
    assert [(n_of(one), one.worker, one.end) for one in found.evaluations] == [
        (2, 1, 3 / 9),
        (1, 0, 1.0),
        (3, 1, 3 / 9 + 6 / 9),
    ]


def test_only_the_clock_differs_between_two_runs() -> None:
    given = task(Recorded(noisy), evaluations=10)
    cells = [
        run_cell(
            lambda: optimizer_course(given, lambda: RandomSearch(given.space, [LOSS], 3), 3),
            KEY,
            "digest",
            clock=iter(times).__next__,
        )
        for times in ([1.0, 3.0], [1.0, 6.0])
    ]
    assert cells[0].evaluations == cells[1].evaluations
    assert [one.seconds for one in cells] == [2.0, 5.0]


def test_cells_need_no_torch() -> None:
    code = "import sys, orchestrator.benchmark.cell, orchestrator.benchmark.store; "
    code += "assert not {'torch', 'ray', 'pandas', 'mlflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_optimizer_sees_labels_and_the_workload_what_they_stand_for() -> None:
    choices = {"small": [64], "large": [128, 128], "none": None}
    space = build_space({"parameters": {"layers": {"type": "categorical", "choices": choices}}})
    workload = Recorded(lambda config: float(sum(config["layers"] or [1])), space)
    found = cell(task(workload, evaluations=3), GridSearch(space, workload.objectives, 0))
    losses = {str(one.trial.config["layers"]): one.trial.losses for one in found.evaluations}
    assert losses == {"small": (64.0,), "large": (256.0,), "none": (1.0,)}
