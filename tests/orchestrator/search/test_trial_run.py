"""One trial in this process: from rung to rung, and every way to fail."""

from __future__ import annotations

import itertools

import pytest

from orchestrator.optimizers.rungs import Rungs
from orchestrator.search.trials.trial_run import Goal, TrialRun, trial_seed
from search_spaces import Config, ConfigurationError, build_space
from tests.orchestrator.search.troubled import SPACE, TroubledSession
from workloads.contract import Device, Fidelity, Metrics, Objective
from workloads.function import from_function


def run_of(accident: str = "none", levels: tuple[int, ...] = (1, 3, 9), **goal: object) -> TrialRun:
    ticks = itertools.count()
    config = {"x": 0.5, "y": 0.0, "accident": accident}
    return TrialRun(
        lambda: TroubledSession(config, 0.0),
        Goal(levels, (Objective("loss"),), **goal),
        lambda: float(next(ticks)),
    )


def test_reports_at_every_rung() -> None:
    run = run_of()
    reports = [run.advance() for _ in range(3)]
    assert [report.fidelity for report in reports] == [1, 3, 9]
    assert [report.done for report in reports] == [False, False, True]
    assert [report.seconds for report in reports] == [1.0, 2.0, 3.0]
    assert reports[-1].metrics["loss"] == pytest.approx(0.25 + 1 / 9)
    assert not any(report.failure for report in reports)


@pytest.mark.parametrize(
    ("accident", "reason"),
    [
        ("raises", "RuntimeError: out of luck"),
        ("diverges", "not a finite number: loss = nan"),
        ("mute", "the workload did not report 'loss'; it reported ['accuracy']"),
    ],
)
def test_a_failure_is_a_report(accident: str, reason: str) -> None:
    report = run_of(accident).advance()
    assert report.done and report.failure == reason


def test_a_session_that_does_not_start_is_a_failure() -> None:
    def start() -> TroubledSession:
        raise MemoryError

    assert TrialRun(start, Goal((1,), (Objective("loss"),))).advance().failure == "MemoryError"


def test_constraints_must_be_reported_too() -> None:
    report = run_of(constraints=(Objective("memory", bound=1.0),)).advance()
    assert "'memory'" in report.failure


def test_an_error_that_breaks_the_device_is_not_survived() -> None:
    class AcceleratorError(RuntimeError):
        pass

    class OutOfMemoryError(AcceleratorError):
        pass

    def failing(error: Exception) -> TrialRun:
        def start() -> TroubledSession:
            raise error

        return TrialRun(start, Goal((1,), (Objective("loss"),)))

    assert failing(OutOfMemoryError("no room")).advance().failure == "OutOfMemoryError: no room"
    with pytest.raises(AcceleratorError):
        failing(AcceleratorError("device-side assert")).advance()


@pytest.mark.parametrize("tested", [True, False])
def test_only_a_fully_trained_trial_is_tested(tested: bool) -> None:
    class Tested(TroubledSession):
        def test(self) -> Metrics:
            return {"test_loss": 1.0}

    config = {"x": 0.0, "y": 0.0}
    run = TrialRun(lambda: Tested(config, 0.0), Goal((1, 3), (Objective("loss"),), tested=tested))
    assert run.advance().test == {}
    assert run.advance().test == ({"test_loss": 1.0} if tested else {})


def test_a_configuration_keeps_its_seed() -> None:
    assert trial_seed(0, {"a": 1, "b": 2.0}) == trial_seed(0, {"b": 2.0, "a": 1})
    assert trial_seed(0, {"a": 1}, 1) != trial_seed(0, {"a": 1}) == trial_seed(0, {"a": 1}, 0)
    assert len({trial_seed(0, {"a": 1}), trial_seed(1, {"a": 1}), trial_seed(0, {"a": 2})}) == 3


def test_rungs_are_geometric_and_end_at_the_target() -> None:
    rungs = Rungs.of(Fidelity("epoch", 1, 81), 2, 3)
    assert rungs.up_to() == (2, 6, 18, 54, 81)
    assert rungs.up_to(18) == (2, 6, 18)
    assert rungs.up_to(2) == (2,)
    assert Rungs.of(Fidelity(), None, 3).up_to() == (1,)


@pytest.mark.parametrize("first", [0, 82])
def test_the_first_rung_is_one_that_the_workload_has(first: int) -> None:
    with pytest.raises(ConfigurationError, match=r"search\.first_rung: expected 1 to 81 epochs"):
        Rungs.of(Fidelity("epoch", 1, 81), first, 3)


@pytest.mark.parametrize("judged", [False, True])
def test_a_function_is_called_once_unless_somebody_judges_its_reports(judged: bool) -> None:
    calls = []

    def function(config: Config, fidelity: int) -> float:
        calls.append(fidelity)
        return 1 / fidelity

    workload = from_function(function, build_space(SPACE), [Objective("loss")], Fidelity("epoch", 1, 100))
    config = {"x": 0.0, "y": 0.0}
    levels = Rungs(1, 3, 100).up_to()
    run = TrialRun(
        lambda: workload.start(config, 0, Device()), Goal(levels, workload.objectives, judged=judged)
    )
    reports = []
    while not reports or not reports[-1].done:
        reports.append(run.advance())
    assert calls == ([1, 3, 9, 27, 81, 100] if judged else [100])
    assert reports[-1].metrics == {"loss": 0.01}


def test_a_session_is_trained_rung_by_rung_whoever_judges() -> None:
    assert run_of(judged=False).advance().fidelity == 1


def test_a_failure_has_its_traceback_and_leaving_the_program_is_one() -> None:
    assert "troubled.py" in run_of("raises").advance().traceback

    class Leaving(TroubledSession):
        def advance(self, amount: int) -> Metrics:
            raise SystemExit("no data")

    config = {"x": 0.5, "y": 0.0}
    report = TrialRun(lambda: Leaving(config, 0.0), Goal((1,), (Objective("loss"),))).advance()
    assert report.failure == "SystemExit: no data" and report.done
