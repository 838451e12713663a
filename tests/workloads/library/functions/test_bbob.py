import pickle
import sys
from typing import Any

import numpy as np
import pytest

from search_spaces import ConfigurationError, build_space
from workloads import Device
from workloads.capabilities import KnownWorkload
from workloads.contract import Objective
from workloads.library.functions import bbob
from workloads.library.functions.bbob import Bbob

ioh = pytest.importorskip("ioh")


def value(workload: Bbob, x: list[float]) -> float:
    config = {f"x{i + 1}": one for i, one in enumerate(x)}
    return workload.start(config, 0, Device()).advance(1)["f"]


@pytest.mark.parametrize("function", bbob.FUNCTIONS)
def test_the_optimum_is_reached_where_ioh_says_and_nowhere_undercut(function: int) -> None:
    workload = Bbob(function=function, dimension=3, instance=2)
    best = ioh.get_problem(function, instance=2, dimension=3, problem_class=ioh.ProblemClass.BBOB).optimum
    assert isinstance(workload, KnownWorkload)
    assert value(workload, list(best.x)) == pytest.approx(workload.facts.optimum, rel=1e-12)
    configs = workload.space.sample(200, np.random.default_rng(0))
    values = [workload.start(config, 0, Device()).advance(1)["f"] for config in configs]
    assert min(values) > workload.facts.optimum


def test_the_sphere_is_a_sphere_about_its_optimum() -> None:
    workload = Bbob(function=1, dimension=5)
    problem = ioh.get_problem(1, instance=1, dimension=5, problem_class=ioh.ProblemClass.BBOB)
    centre, point = np.array(problem.optimum.x), np.linspace(-4, 4, 5)
    expected = workload.facts.optimum + ((point - centre) ** 2).sum()
    assert value(workload, list(point)) == pytest.approx(expected)


def test_instance_0_is_the_one_that_carps_uses() -> None:
    problem = ioh.get_problem(1, instance=0, dimension=2, problem_class=ioh.ProblemClass.BBOB)
    workload = Bbob(function=1, dimension=2, instance=0)
    assert workload.facts.optimum == problem.optimum.y == pytest.approx(-92.65)
    config = {"x1": 1.0, "x2": -2.0}
    assert workload.start(config, 0, Device()).advance(1) == {"f": problem([1.0, -2.0])}


def test_instances_and_dimensions_are_different_functions() -> None:
    optima = {Bbob(function=8, instance=instance).facts.optimum for instance in range(1, 6)}
    assert len(optima) == 5
    assert len(Bbob(dimension=40).space.names) == 40


def test_a_copy_gives_the_same_whatever_the_seed() -> None:
    workload = Bbob(function=24, dimension=4)
    copy = pickle.loads(pickle.dumps(workload))
    config = workload.space.default()
    assert copy.start(config, 1, Device()).advance(1) == workload.start(config, 2, Device()).advance(1)
    assert copy.facts == workload.facts
    assert workload.facts.deterministic


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": 25}, "^function: expected a function from 1 to 24, got 25"),
        ({"function": 0}, "^function: "),
        ({"dimension": 1}, "^dimension: expected from 2 to 40 parameters, got 1"),
        ({"dimension": 41}, "^dimension: "),
        ({"instance": -1}, "^instance: expected an instance from 0 on, got -1"),
        ({"objectives": [Objective("g")]}, "^objectives: expected names among 'f', got 'g'"),
    ],
)
def test_what_does_not_exist_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Bbob(**arguments)


def test_a_space_beyond_the_bounds_is_refused() -> None:
    wide = {"type": "float", "low": -6.0, "high": 5.0}
    space = build_space({"parameters": {"x1": wide, "x2": wide}})
    with pytest.raises(ConfigurationError, match=r"^search_space\.parameters\.x1: .* within \[-5"):
        Bbob(space)


def test_without_ioh_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    bbob._problem.cache_clear()
    monkeypatch.setitem(sys.modules, "ioh", None)
    with pytest.raises(ConfigurationError, match=r"extra 'benchmark'.*pip install 'orchestrator\[benchmark"):
        Bbob(function=3)
