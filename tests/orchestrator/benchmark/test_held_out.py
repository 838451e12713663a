"""The best model of a noisy cell is tested on held-out data, and nothing else changes by that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestrator.analysis.analysis import analyse
from orchestrator.benchmark.cell import Setup, optimizer_course, run_cell
from orchestrator.benchmark.records import CellKey, CellResult, Results
from orchestrator.benchmark.task import Task
from tests.orchestrator.analysis import made
from tests.orchestrator.benchmark.scripted import Recorded, Scripted
from tests.orchestrator.benchmark.test_population_course import pbt, walk
from workloads.capabilities import Facts
from workloads.contract import Device, Metrics

KEY = CellKey("suite/n=1", "method", 3)


class Trained:
    """A session whose held-out score is ten times its loss."""

    def __init__(self, n: int) -> None:
        self.n = n

    def advance(self, amount: int) -> Metrics:
        return {"loss": float(self.n)}

    def configure(self, config: Any) -> None: ...
    def state(self) -> Any: ...
    def load(self, state: Any) -> None: ...

    def test(self) -> Metrics:
        if self.n == 2:
            raise ValueError("no held-out data")
        return {"test_loss": 10.0 * self.n}


@dataclass(frozen=True)
class WithTest(Recorded):
    def start(self, config: Any, seed: int, device: Device) -> Any:
        return Trained(int(config["n"]))


def cell(script: list[Any], facts: Facts | None = None, workers: int = 1) -> CellResult:
    workload = WithTest(lambda config: 0.0, facts=facts or Facts())
    task = Task("suite/n=1", "suite", workload, False, len(script))
    setup = Setup(workers=workers)
    return run_cell(lambda: optimizer_course(task, lambda: Scripted(script), 3, setup), KEY, "digest")


def test_the_best_model_is_tested() -> None:
    assert cell([5, 3, 4, 9]).test == {"test_loss": 30.0}
    assert cell([5, 3, 4, 9], workers=3).test == {"test_loss": 30.0}


def test_a_deterministic_task_is_not_tested() -> None:
    assert cell([5, 3], Facts(deterministic=True)).test == {}


def test_a_failing_test_is_no_failure_of_the_evaluation() -> None:
    result = cell([5, 2, 4])
    assert result.status == "finished" and [one.trial.losses[0] for one in result.evaluations] == [5, 2, 4]


def test_the_time_that_a_method_takes_for_itself_is_kept() -> None:
    result = cell([5, 3])
    assert 0 <= result.thinking <= result.seconds


def test_the_best_model_of_a_population_is_tested() -> None:
    found = run_cell(lambda: pbt().course(walk(), 3, Setup()), KEY, "digest")
    best = min(one.trial.losses[0] for one in found.evaluations)
    assert found.test == {"test_loss": pytest.approx(best)}


def with_tests(results: Results, values: dict[str, float]) -> Results:
    texts = [
        f'{{"test_value": {values[method]}}}' if method in values else ""
        for method in results.cells["method"]
    ]
    return replace(results, cells=results.cells.assign(test=texts))


def test_held_out_scores_are_ranked_where_every_method_has_them() -> None:
    results = made.results([made.task("BB", 1)], seeds=range(3))
    table = analyse(with_tests(results, {"good": 3.0, "fair": 1.0, "poor": 2.0}), {}).held_out.set_index(
        "method"
    )
    assert table["rank"].to_dict() == {"good": 3.0, "fair": 1.0, "poor": 2.0}
    assert set(table["metric"]) == {"test_value"} and set(table["seeds"]) == {3}
    partly = analyse(with_tests(results, {"good": 3.0, "fair": 1.0}), {}).held_out.set_index("method")
    assert partly["rank"].isna().all() and partly.loc["poor", "seeds"] == 0
    assert analyse(results, {}).held_out.empty
