"""The tasks that optimizers are measured on: cheap functions of every kind of space and goal.

Every third task of a group, from the third on, is kept for validation: no rule of ``optimizer=auto`` was
chosen by it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from orchestrator.benchmark.suite import tasks_of
from orchestrator.benchmark.task import Task
from search_spaces import Config, build_space
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
    return {
        group: {task.name: replace(task, evaluations=evaluations) for task in made}
        for group, made in _groups().items()
    }


def validation(group: Mapping[str, Task]) -> list[str]:
    """The tasks of a group that no rule was chosen by."""
    return list(group)[2::3]


@cache
def _groups() -> dict[str, tuple[Task, ...]]:
    return {
        "numbers": tuple(_numbers()),
        "mixed": tuple(_mixed()),
        "several objectives": tuple(_several()),
        "fidelities": tuple(_fidelities()),
    }


def _numbers() -> Iterator[Task]:
    for function, dimension in _BBOB:
        yield from _suite("bbob", "bbob.Bbob", function=function, dimension=dimension, instance=1)
    for dimension in (3, 6):
        yield from _suite("hartmann", "mf_hartmann.MfHartmann", dimension=dimension)
    yield from _yahpo("lcbench", instance=_LCBENCH)


def _mixed() -> Iterator[Task]:
    for name, (function, space) in _MIXED.items():
        workload = from_function(function, build_space(space), ["value"])
        yield Task(name, "mixed", workload, multi_fidelity=False, evaluations=1)
    yield from _yahpo("rbv2_xgboost", instance=_XGBOOST)


def _several() -> Iterator[Task]:
    for instance in (1, 3, 2):
        yield from _suite("zdt", "zdt.Zdt", instance=instance, dimension=6)
    yield from _suite("kursawe", "kursawe.Kursawe")
    yield from _suite("bnh", "bnh.Bnh")
    problems = (("dtlz2", 2), ("dtlz7", 2), ("dtlz2", 3), ("wfg4", 2), ("dtlz5", 3), ("wfg9", 2))
    for problem, count in problems:
        made = "pymoo_problems.PymooProblem"
        yield from _suite("pymoo", made, problem=problem, dimension=6, count=count)
    yield from _yahpo("lcbench", _LCBENCH_GOALS, instance=_LCBENCH[:1])
    yield from _yahpo("rbv2_xgboost", _XGBOOST_GOALS, instance=_XGBOOST[:2])


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


def _ranges(names: str, low: float = -5.0, high: float = 5.0) -> dict[str, Any]:
    return {name: {"type": "float", "low": low, "high": high} for name in names.split()}


_SHIFTS = {"red": 1.2, "green": -2.7, "blue": 3.9, "white": -0.4, "black": 2.2}
_LEVELS = {"low": 2.0, "middle": 0.0, "high": 5.0}


def _shifted(config: Config) -> float:
    """A bowl whose middle a category moves; another category lifts it."""
    shift = _SHIFTS[str(config["colour"])]
    bowl = sum((float(config[name]) - shift * (i - 1)) ** 2 for i, name in enumerate("xyz"))
    size = (math.log2(float(config["size"])) - 4) ** 2
    return bowl + size + _LEVELS[str(config["level"])] + abs(shift) + abs(float(config["step"]) - 4)


def _bumpy(config: Config) -> float:
    """Rastrigin's function whose frequency is a category; a switch adds a valley."""
    frequency = {"slow": 0.5, "usual": 1.0, "fast": 2.0}[str(config["waves"])]
    values = [float(config[name]) - 1.3 for name in "xyzu"]
    bumps = sum(x * x + 4 * (1 - math.cos(2 * math.pi * frequency * x)) for x in values)
    return bumps + (3.0 if config["switch"] else abs(values[0] - values[1])) + int(config["count"]) % 5


def _branches(config: Config) -> float:
    """Each kind has parameters and a function of its own; the best kind is the hardest one."""
    if config["kind"] == "valley":
        x, y = float(config["x"]), float(config["y"])
        return (100 * (y - x * x) ** 2 + (1 - x) ** 2) / 100
    if config["kind"] == "bowl":
        return 1.0 + sum((float(config[name]) - 2) ** 2 for name in ("r", "s", "t"))
    return 4.0 + abs(math.log10(float(config["rate"])) + 3)


def _training(config: Config) -> float:
    """A loss as of training: a rate that fits the optimizer, momentum where there is some, and sizes."""
    kind = str(config["optimizer"])
    best = {"sgd": -1.0, "adam": -3.0, "lion": -4.0}[kind]
    loss = (
        0.3 * (math.log10(float(config["rate"])) - best) ** 2 + {"sgd": 0.0, "adam": 0.1, "lion": 0.2}[kind]
    )
    if kind == "sgd":
        loss += 2 * abs(float(config["momentum"]) - 0.9)
        loss += 0.2 * (not config["nesterov"]) if "nesterov" in config else 0.3
    else:
        loss += 0.05 * abs(math.log10(1 - float(config["beta"])) + 2)
    loss += 0.1 * abs(math.log2(float(config["width"])) - 7) + 0.2 * abs(int(config["depth"]) - 3)
    return loss + 0.5 * (float(config["dropout"]) - 0.2) ** 2


_RATE = {"type": "float", "low": 1e-6, "high": 1.0, "log": True}
_MIXED: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "mixed/shifted": (
        _shifted,
        {
            "parameters": {
                **_ranges("x y z"),
                "size": {"type": "int", "low": 1, "high": 256, "log": True},
                "step": {"type": "ordinal", "values": [1, 2, 4, 8]},
                "colour": {"type": "categorical", "choices": list(_SHIFTS)},
                "level": {"type": "categorical", "choices": list(_LEVELS)},
            }
        },
    ),
    "mixed/branches": (
        _branches,
        {
            "parameters": {
                "kind": {"type": "categorical", "choices": ["valley", "bowl", "rate"]},
                **_ranges("x y r s t"),
                "rate": _RATE,
            },
            "conditions": [
                {"child": child, "parent": "kind", "equals": kind}
                for kind, children in {"valley": "xy", "bowl": "rst"}.items()
                for child in children
            ]
            + [{"child": "rate", "parent": "kind", "equals": "rate"}],
        },
    ),
    "mixed/training": (
        _training,
        {
            "parameters": {
                "optimizer": {"type": "categorical", "choices": ["sgd", "adam", "lion"]},
                "rate": _RATE,
                "momentum": {"type": "float", "low": 0.0, "high": 0.99},
                "nesterov": {"type": "categorical", "choices": [True, False]},
                "beta": {"type": "float", "low": 0.5, "high": 0.999},
                "width": {"type": "int", "low": 8, "high": 512, "log": True},
                "depth": {"type": "int", "low": 1, "high": 8},
                "dropout": {"type": "float", "low": 0.0, "high": 0.6},
            },
            "conditions": [
                {"child": "momentum", "parent": "optimizer", "equals": "sgd"},
                {"child": "nesterov", "parent": "momentum", "greater": 0.3},
                {"child": "beta", "parent": "optimizer", "in": ["adam", "lion"]},
            ],
        },
    ),
    "mixed/bumpy": (
        _bumpy,
        {
            "parameters": {
                **_ranges("x y z u"),
                "count": {"type": "int", "low": 0, "high": 40},
                "waves": {"type": "categorical", "choices": ["slow", "usual", "fast"]},
                "switch": {"type": "categorical", "choices": [True, False]},
            }
        },
    ),
}
