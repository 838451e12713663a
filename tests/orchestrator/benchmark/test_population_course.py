"""Methods of populations as methods of a benchmark study."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.benchmark.assemble import assemble_benchmark
from orchestrator.benchmark.cell import Setup, run_cell
from orchestrator.benchmark.methods import PopulationMethod, methods_of
from orchestrator.benchmark.preflight import preflight
from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.task import Task
from search_spaces import Config, ConfigurationError, SearchSpace
from tests.conftest import composed
from tests.orchestrator.population.harness import SPACE, Walk, WalkSession
from workloads.contract import Device, Fidelity

KEY = CellKey("walk", "pbt", 3)
PBT: dict[str, Any] = {
    "method": {"_target_": "orchestrator.population.methods.pbt.Pbt"},
    "exploit": {"_target_": "orchestrator.population.rules.Truncation", "quantile": 0.25},
    "explore": {"_target_": "orchestrator.population.rules.explore.Perturb"},
    "interval": 5,
}


def walk(evaluations: int = 8, largest: int = 20, accident: Any = None) -> Task:
    workload = Walk(accident)
    workload.fidelity = Fidelity("step", largest=largest)
    return Task("walk", "walk", workload, True, evaluations, anytime=True)


def pbt(**options: Any) -> PopulationMethod:
    return PopulationMethod.of("pbt", {**PBT, **options})


def cell(method: PopulationMethod, task: Task, setup: Setup | None = None) -> CellResult:
    return run_cell(lambda: method.course(task, KEY.seed, setup or Setup()), KEY, "digest")


def test_a_population_trains_no_more_than_others_evaluate() -> None:
    result = cell(pbt(), walk())
    assert result.status == "finished" and not result.reason
    assert sum(one.cost for one in result.evaluations) == pytest.approx(8.0)
    assert Counter(one.trial.fidelity for one in result.evaluations) == {5: 8, 10: 8, 15: 8, 20: 8}
    numbers = [one.trial.suggestion.token for one in result.evaluations]
    assert numbers == list(range(32))
    assert result.evaluations[-1].end == pytest.approx(8.0)


def test_an_interval_that_does_not_divide_a_full_training_leaves_some_of_it() -> None:
    result = cell(pbt(interval=6), walk())
    assert sum(one.cost for one in result.evaluations) == pytest.approx(8 * 18 / 20)


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_cell_is_a_function_of_its_seed(synchronous: bool) -> None:
    first, second = (cell(pbt(synchronous=synchronous), walk()) for _ in range(2))
    assert first.evaluations == second.evaluations
    other = run_cell(lambda: pbt(synchronous=synchronous).course(walk(), 4, Setup()), KEY, "digest")
    assert other.evaluations != first.evaluations


def test_members_copy_one_another() -> None:
    evaluations = cell(pbt(), walk()).evaluations
    first, last = evaluations[:8], evaluations[-8:]
    assert len({one.trial.suggestion.config["rate"] for one in first}) == 8
    assert {one.trial.suggestion.config["kind"] for one in last} <= {"a", "b"}
    assert min(one.trial.losses[0] for one in last) < min(one.trial.losses[0] for one in first)


def test_simulated_workers_share_a_generation() -> None:
    result = cell(pbt(), walk(), Setup(workers=4))
    assert {one.worker for one in result.evaluations} == {0, 1, 2, 3}
    assert max(one.end for one in result.evaluations) == pytest.approx(2.0)


def test_a_member_that_fails_is_a_failed_evaluation() -> None:
    def accident(session: WalkSession) -> float | None:
        return math.nan if session.age == 5 and session.config["kind"] == "a" else None

    statuses = Counter(one.trial.status for one in cell(pbt(), walk(accident=accident)).evaluations)
    assert 0 < statuses["failed"] < 8


def test_a_population_of_which_nobody_is_left_says_so() -> None:
    def accident(_session: WalkSession) -> float | None:
        raise ValueError("boom")

    result = cell(pbt(), walk(accident=accident))
    assert result.reason == "every member has failed"
    assert [one.trial.reason for one in result.evaluations] == ["ValueError: boom"] * 8


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (walk(largest=1), "one unit of training"),
        (walk(evaluations=1), "at least 2 members"),
    ],
)
def test_tasks_that_a_population_cannot_serve_are_left_out(task: Task, reason: str) -> None:
    assert reason in pbt().refusal(task, 0)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"interval": 0}, "benchmark.methods.pbt.interval"),
        ({"interval": True}, "benchmark.methods.pbt.interval"),
        ({"generations": "many"}, "benchmark.methods.pbt.generations"),
        ({"size": 4}, "benchmark.methods.pbt.size"),
        ({"engine": "compiled"}, "benchmark.methods.pbt.engine"),
        ({"exploit": {}}, "benchmark.methods.pbt.exploit"),
        ({"schedule": {"unit": "step"}}, "benchmark.methods.pbt.schedule.segments"),
        ({"exploit": {**PBT["exploit"], "quantile": 2}}, "benchmark.methods.pbt.exploit.quantile"),
    ],
)
def test_wrong_definitions_are_refused_under_their_own_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        methods_of({"pbt": {**PBT, **options}})
    assert caught.value.key == key


FOUND = {
    "unit": "step",
    "segments": [
        {"amount": 10, "config": {"rate": 0.5, "kind": "a"}},
        {"amount": 10, "config": {"rate": 0.1}, "change": {"keep": 0.5, "noise": 0.0}},
    ],
}


def test_a_method_with_a_schedule_trains_every_member_with_it() -> None:
    method = pbt(schedule=FOUND)
    assert method.refusal(walk(), 0) == "" and method.perturbs
    result = cell(method, walk())
    trained = {(one.trial.fidelity, one.trial.suggestion.config["rate"]) for one in result.evaluations}
    assert trained == {(5, 0.5), (10, 0.5), (15, 0.1), (20, 0.1)}
    assert {one.trial.suggestion.config["kind"] for one in result.evaluations} == {"a"}
    assert cell(pbt(), walk()).evaluations[0].trial.suggestion.config["rate"] != 0.5


@pytest.mark.parametrize(
    ("options", "largest", "reason"),
    [
        ({}, 40, "expected a schedule over 40 steps"),
        ({"interval": 4}, 20, "expected a segment that ends at a multiple of population.interval, 4"),
        ({"schedule": {**FOUND, "unit": "epoch"}}, 20, "expected 'step', the workload's unit, got 'epoch'"),
    ],
)
def test_a_task_that_a_schedule_does_not_fit_is_left_out(
    options: dict[str, Any], largest: int, reason: str
) -> None:
    assert pbt(**{"schedule": FOUND, **options}).refusal(walk(largest=largest), 0).startswith(reason)


def test_a_methods_schedule_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(yaml.safe_dump(FOUND))
    config = composed("+study=family_digits", f"+benchmark.methods.pbt.schedule={file}")
    assert config["benchmark"]["methods"]["pbt"]["schedule"] == FOUND
    with pytest.raises(ConfigurationError, match=r"benchmark\.methods\.pbt\.schedule: expected a YAML file"):
        composed("+study=family_digits", "+benchmark.methods.pbt.schedule=no.yaml")


def test_a_population_joins_a_study_by_one_line_of_its_config() -> None:
    config = composed("+study=family_digits")
    assert isinstance(methods_of(config["benchmark"]["methods"])["pbt_20"], PopulationMethod)


@pytest.mark.parametrize("study", ["family_digits", "family_fashion", "family_lm"])
def test_the_family_is_compared_at_three_intervals_and_no_task_leaves_a_method_out(study: str) -> None:
    parts = assemble_benchmark(composed(f"+study={study}"))
    assert parts.left_out == ()
    populations = {name: one for name, one in parts.methods.items() if isinstance(one, PopulationMethod)}
    lives = {
        name: {one._life(task).generations for task in parts.tasks.values()}
        for name, one in populations.items()
        if name.rpartition("_")[2].isdigit()
    }
    assert len(lives) == 7 * 3
    assert all(generations == {int(name.rpartition("_")[2])} for name, generations in lives.items())


def test_a_method_that_perturbs_weights_is_refused_where_a_workload_cannot() -> None:
    """Its members would fail at every restart, a handicap that nobody would be told of."""
    config = composed(
        "+study=family_digits",
    )
    suite = config["benchmark"]["suites"]["digits"]
    suite["workload"] = {"_target_": "tests.orchestrator.benchmark.test_population_course.Rigid"}
    suite["instances"], suite["search_space"] = {}, SPACE
    parts = assemble_benchmark(config)
    assert ("digits", "ipbt_20") in parts.pairings
    with pytest.raises(ConfigurationError, match=r"perturb"):
        preflight(config, parts)


class Rigid(Walk):
    """A walk whose sessions have no ``perturb``."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space, self.fidelity = space, Fidelity("step", largest=100)

    def start(self, config: Config, seed: int, device: Device) -> Any:
        return _RigidSession(super().start(config, seed, device))


class _RigidSession:
    def __init__(self, walk: WalkSession) -> None:
        self.advance, self.configure, self.state, self.load = (
            walk.advance,
            walk.configure,
            walk.state,
            walk.load,
        )
