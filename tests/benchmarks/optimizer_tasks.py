"""The tasks that optimizers are measured on: cheap functions of every kind of space and goal.

Every third task of a group, from the third on, is kept for validation: no rule of ``optimizer=auto`` was
chosen by it. :func:`fresh_tasks` are more of the same kinds, of which none had been run when the rules stood.
They showed that the rule for several objectives was wrong; :func:`later_tasks` are those that nobody had run
when the next one stood, and :func:`latest_tasks` those for the rules about categories and conditions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from orchestrator.benchmark.suite import tasks_of
from orchestrator.benchmark.task import Task
from search_spaces import Config, SearchSpace, build_space
from tests.benchmarks.branched_functions import branched
from tests.benchmarks.mixed_functions import FRESH, MIXED, Function
from workloads.contract import Metrics
from workloads.function import from_function

FUNCTIONS = "workloads.library.functions"

_BBOB = [
    (1, 2),
    (8, 5),
    (3, 5),
    (10, 5),
    (15, 10),
    (20, 8),
    (21, 2),
    (6, 10),
    (13, 5),
    (22, 5),
    (24, 8),
    (17, 10),
]
"""Functions of BBOB with their dimensions: of each of its five classes at least two."""
_LCBENCH, _XGBOOST = ["167168", "189873", "189906"], ["12", "16", "1501", "40499"]
_LCBENCH_GOALS = [
    {"name": "val_accuracy", "direction": "max", "reference": 0.0},
    {"name": "val_cross_entropy", "reference": 3.0},
]
_FRESH_BBOB = [(2, 4), (4, 5), (7, 6), (9, 8), (11, 5), (14, 10), (16, 6), (18, 3), (19, 5), (23, 4)]
"""At least one of each class; of these functions none is among those above."""
_LATER_LCBENCH, _LATER_XGBOOST = ["168329", "168868"], ["23", "1040", "4135", "40984"]
_LATEST_XGBOOST = ["28", "6"]
_FRESH_LCBENCH = ["3945", "34539", "126026", "167149", "167185", "168330", "168910", "189909"]
_FRESH_XGBOOST = ["38", "1067", "1464", "1486"]
_XGBOOST_GOALS = [
    {"name": "acc", "direction": "max", "reference": 0.0},
    {"name": "memory", "reference": 500.0},
]


def tasks(evaluations: int) -> dict[str, dict[str, Task]]:
    """All tasks by group and name; those of YAHPO Gym only where ``YAHPO_DATA_DIR`` says where they are.

    Args:
        evaluations: the budget of each.
    """
    return _with_budget(_groups(), evaluations)


def fresh_tasks(evaluations: int) -> dict[str, dict[str, Task]]:
    """As :func:`tasks`: those that no rule was chosen by, and that nobody had run when the rules stood."""
    return _with_budget(_fresh_groups(), evaluations)


def later_tasks(evaluations: int) -> dict[str, dict[str, Task]]:
    """As :func:`fresh_tasks`, for the rule of several objectives that they led to."""
    made = {"several objectives": tuple(_later_several()), "several, mixed": tuple(_later_several_mixed())}
    return _with_budget(made, evaluations)


def latest_tasks(evaluations: int) -> dict[str, dict[str, Task]]:
    """As :func:`later_tasks`, for spaces with conditions, and with categories alone."""
    categories = (*_mixed({f"choices/{number}": branched(number, most=0) for number in range(30, 40)}),)
    alone = (*_mixed(_branched(range(9, 21)), _LATEST_XGBOOST),)
    several = (
        *_priced(_branched(range(9, 21))),
        *_yahpo("rbv2_xgboost", _XGBOOST_GOALS, instance=_LATEST_XGBOOST),
    )
    made = {"categories": categories, "conditions": alone, "several, conditions": several}
    return _with_budget(made, evaluations)


def _with_budget(groups: Mapping[str, tuple[Task, ...]], evaluations: int) -> dict[str, dict[str, Task]]:
    return {
        group: {task.name: replace(task, evaluations=evaluations) for task in made}
        for group, made in groups.items()
    }


def validation(group: Mapping[str, Task]) -> list[str]:
    """The tasks of a group that no rule was chosen by."""
    return list(group)[2::3]


@cache
def _groups() -> dict[str, tuple[Task, ...]]:
    return {
        "numbers": tuple(_numbers()),
        "mixed": tuple(_mixed(MIXED, _XGBOOST)),
        "several objectives": tuple(_several()),
        "conditions": tuple(_mixed(_branched(range(9)))),
        "several, mixed": tuple(_priced(MIXED)),
        "several, conditions": tuple(_priced(_branched(range(9)))),
        "fidelities": tuple(_fidelities()),
    }


@cache
def _fresh_groups() -> dict[str, tuple[Task, ...]]:
    return {
        "numbers": tuple(_fresh_numbers()),
        "mixed": tuple(_mixed(FRESH, _LATER_XGBOOST)),
        "several objectives": tuple(_fresh_several()),
    }


def _numbers() -> Iterator[Task]:
    for function, dimension in _BBOB:
        yield from _suite("bbob", "bbob.Bbob", function=function, dimension=dimension, instance=1)
    for dimension in (3, 6):
        yield from _suite("hartmann", "mf_hartmann.MfHartmann", dimension=dimension)
    yield from _yahpo("lcbench", instance=_LCBENCH)


def _fresh_numbers() -> Iterator[Task]:
    for function, dimension in _FRESH_BBOB:
        yield from _suite("bbob", "bbob.Bbob", function=function, dimension=dimension, instance=2)
    yield from _yahpo("lcbench", instance=_LATER_LCBENCH)


def _mixed(functions: Mapping[str, Function], instances: Sequence[str] = ()) -> Iterator[Task]:
    for name, (function, space) in functions.items():
        workload = from_function(function, build_space(space), ["value"])
        yield Task(name, "mixed", workload, multi_fidelity=False, evaluations=1)
    if instances:
        yield from _yahpo("rbv2_xgboost", instance=list(instances))


def _several() -> Iterator[Task]:
    for instance in (1, 3, 2):
        yield from _suite("zdt", "zdt.Zdt", instance=instance, dimension=6)
    yield from _suite("kursawe", "kursawe.Kursawe")
    yield from _suite("bnh", "bnh.Bnh")
    yield from _pymoo(("dtlz2", 2), ("dtlz7", 2), ("dtlz2", 3), ("wfg4", 2), ("dtlz5", 3), ("wfg9", 2))
    yield from _yahpo("lcbench", _LCBENCH_GOALS, instance=_LCBENCH[:1])
    yield from _yahpo("rbv2_xgboost", _XGBOOST_GOALS, instance=_XGBOOST[:2])


def _fresh_several() -> Iterator[Task]:
    yield from _pymoo(("zdt4", 2), ("zdt6", 2), ("dtlz1", 2), ("dtlz4", 3), ("wfg2", 2), ("wfg7", 3))
    yield from _yahpo("lcbench", _LCBENCH_GOALS, instance=_LATER_LCBENCH[:1])
    yield from _yahpo("rbv2_xgboost", _XGBOOST_GOALS, instance=_LATER_XGBOOST[:1])


def _later_several() -> Iterator[Task]:
    pairs = (("dtlz3", 2), ("dtlz6", 2), ("wfg1", 2), ("wfg3", 3), ("wfg5", 2), ("wfg8", 3), ("dtlz1", 3))
    yield from _pymoo(*pairs, dimension=8)
    yield from _yahpo("lcbench", _LCBENCH_GOALS, instance=["168868", "189909"])


def _later_several_mixed() -> Iterator[Task]:
    yield from _priced(FRESH)
    yield from _yahpo("rbv2_xgboost", _XGBOOST_GOALS, instance=["1040", "4135", "38", "1067"])


def _branched(numbers: range) -> dict[str, Function]:
    return {f"branched/{number}": branched(number) for number in numbers}


def _priced(functions: Mapping[str, Function]) -> Iterator[Task]:
    """Each function against a price: how far the active parameters are up their ranges, on average.

    The reference point is above nine of ten random values, so that most of what is found counts.
    """
    for name, (function, definition) in functions.items():
        space = build_space(definition)
        priced = partial(_with_price, function, space)
        drawn = space.codec.decode(space.codec.draw(200, np.random.default_rng(0)))
        usual = float(np.quantile([function(config) for config in drawn], 0.9))
        goals = [{"name": "value", "reference": usual}, {"name": "price", "reference": 1.0}]
        workload = from_function(priced, space, goals)
        yield Task(f"{name} and price", "mixed", workload, multi_fidelity=False, evaluations=1)


def _with_price(function: Callable[[Config], float], space: SearchSpace, config: Config) -> Metrics:
    price = float(np.nanmean(space.codec.encode([config])))
    return {"value": function(config), "price": price}


def _fidelities() -> Iterator[Task]:
    for dimension, quality in ((3, "good"), (6, "bad"), (6, "moderate")):
        yield from _suite(
            "fidelities", "mf_hartmann.MfHartmann", fidelities=True, dimension=dimension, quality=quality
        )
    yield from _yahpo("lcbench", fidelities=True, instance=_LCBENCH)


def fresh_fidelities() -> Iterator[Task]:
    """More tasks with fidelities: those that rules about fidelities are validated with."""
    for dimension, quality in ((3, "moderate"), (3, "bad"), (6, "good"), (6, "terrible")):
        yield from _suite(
            "fidelities", "mf_hartmann.MfHartmann", fidelities=True, dimension=dimension, quality=quality
        )
    yield from _yahpo("lcbench", fidelities=True, instance=_FRESH_LCBENCH)
    yield from _yahpo("rbv2_xgboost", fidelities=True, instance=_FRESH_XGBOOST)


def _pymoo(*problems: tuple[str, int], dimension: int = 6) -> Iterator[Task]:
    """Problems by their names and numbers of objectives."""
    for problem, count in problems:
        made = "pymoo_problems.PymooProblem"
        yield from _suite("pymoo", made, problem=problem, dimension=dimension, count=count)


def _yahpo(
    scenario: str, goals: list[dict[str, Any]] | None = None, fidelities: bool = False, **instances: Any
) -> Iterator[Task]:
    if not os.environ.get("YAHPO_DATA_DIR"):
        return
    name = scenario + (" of two" if goals else "") + (" in epochs" if fidelities else "")
    yield from _suite(name, "yahpo.Yahpo", goals, fidelities, scenario=scenario, **instances)


def _suite(
    name: str,
    workload: str,
    goals: list[dict[str, Any]] | None = None,
    fidelities: bool = False,
    **instances: Any,
) -> list[Task]:
    definition = {
        "workload": {"_target_": f"{FUNCTIONS}.{workload}"},
        "instances": instances,
        "multi_fidelity": fidelities,
        "evaluations": None,
        "objectives": goals or [],
        "search_space": {},
    }
    return tasks_of(name, definition, name)
