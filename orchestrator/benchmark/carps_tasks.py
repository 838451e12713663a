"""carps' tasks in our terms: their names, their types, and how to read their configurations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ConfigSpace import ConfigurationSpace

from orchestrator.benchmark.records import TaskRecord
from orchestrator.benchmark.suite import tasks_of
from orchestrator.benchmark.task import TaskType
from search_spaces import ConfigurationError

_PERCENT = 100
"""Fidelities that are shares of something, such as a training set, are counted in percent."""


@dataclass(frozen=True)
class Known:
    """A task of carps' that we have as well.

    Args:
        suite: the suite that it belongs to, in conf/suite.
        target: its workload.
        instance: the suite's parameters, in the suite's order.
    """

    suite: str
    target: str
    instance: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The task's name in our studies."""
        values = ",".join(f"{parameter}={value}" for parameter, value in self.instance.items())
        return f"{self.suite}/{values}" if values else self.suite


def task_record(task: Mapping[str, Any]) -> TaskRecord:
    """What the analysis must know about a task, from the ``task`` part of a carps configuration.

    A task that we have too gets our name and our facts, so that its results can be compared with ours; what
    we cannot build (a library or data that are not there) is described by carps alone.
    The spaces decide the type. carps minimises everything: it has flipped signs itself.

    Raises:
        KeyError, TypeError, ValueError: it is no carps configuration.
    """
    known = known_task(task)
    described = _described(task, known)
    if known is None:
        return described
    try:
        return _ours(known, described)
    except ConfigurationError:
        return described


def known_task(task: Mapping[str, Any]) -> Known | None:
    """The task of ours that it is, if any."""
    function = task["objective_function"]
    family = _FAMILIES.get(str(function.get("_target_", "")).rpartition(".")[2])
    return family(function, task) if family else None


def fidelity_of(share: float, full: int) -> int:
    """A fidelity in whole units; only a full evaluation is given the full one."""
    return full if share >= 1 else max(1, min(full - 1, round(share * full)))


def share_of(info: Mapping[str, Any], task: Mapping[str, Any]) -> float:
    """An evaluation's share of a full one, from carps' ``trial_info``."""
    if info.get("normalized_budget") is not None:
        return float(info["normalized_budget"])
    fidelity = task["input_space"]["fidelity_space"]
    if not fidelity["is_multifidelity"] or info.get("budget") is None:
        return 1.0
    return float(info["budget"]) / float(fidelity["max_fidelity"])


def space_of(task: Mapping[str, Any]) -> ConfigurationSpace | None:
    """The task's space; None if the configuration has none that can be read."""
    serialised = task["input_space"].get("configuration_space", {}).get("d")
    return _space(json.dumps(serialised)) if isinstance(serialised, Mapping) else None


def named(values: Sequence[Any], space: ConfigurationSpace | None) -> dict[str, Any]:
    """A logged configuration by name: ``values`` of the active parameters, in the order of the space.

    If the space does not fit them, their positions are their names.
    """
    if space is not None and not space.conditions and len(values) == len(space):
        return dict(zip(space, values, strict=True))
    config = None if space is None else _active(values, space)
    return {str(i): value for i, value in enumerate(values)} if config is None else config


def _described(task: Mapping[str, Any], known: Known | None) -> TaskRecord:
    fidelity, output = task["input_space"]["fidelity_space"], task["output_space"]
    several, multi_fidelity = output["n_objectives"] > 1, bool(fidelity["is_multifidelity"])
    largest = float(fidelity["max_fidelity"]) if multi_fidelity else 1.0
    fraction = multi_fidelity and largest <= 1
    return TaskRecord(
        name=known.name if known else task["name"],
        suite=known.suite if known else task["name"].partition("/")[0],
        type=_type(multi_fidelity, several),
        dimension=int(task["metadata"]["dimensions"]),
        objectives=tuple(map(str, output["objectives"])),
        directions=("min",) * output["n_objectives"],
        evaluations=int(task["optimization_resources"]["n_trials"] or 0),
        full=_PERCENT if fraction else round(largest),
        unit=_unit(fidelity, fraction),
        deterministic=bool(task["metadata"]["deterministic"]),
    )


def _unit(fidelity: Mapping[str, Any], fraction: bool) -> str:
    if not fidelity["is_multifidelity"]:
        return "call"
    return f"percent of {fidelity['fidelity_type']}" if fraction else str(fidelity["fidelity_type"])


def _type(multi_fidelity: bool, several: bool) -> TaskType:
    if multi_fidelity:
        return "MOMF" if several else "MF"
    return "MO" if several else "BB"


def _ours(known: Known, described: TaskRecord) -> TaskRecord:
    definition = {
        "workload": {"_target_": known.target, **_FIXED.get(known.suite, {})},
        "instances": {parameter: [value] for parameter, value in known.instance.items()},
        "multi_fidelity": described.type in ("MF", "MOMF"),
        "evaluations": described.evaluations or None,
        "objectives": {},
        "search_space": {},
    }
    (task,) = tasks_of(known.suite, definition, f"benchmark.suites.{known.suite}")
    record = TaskRecord.of(task)
    if len(record.objectives) != len(described.objectives):
        return described
    return replace(record, evaluations=described.evaluations)


@lru_cache(maxsize=4096)
def _space(serialised: str) -> ConfigurationSpace | None:
    try:
        return ConfigurationSpace.from_serialized_dict(json.loads(serialised))
    except (AttributeError, KeyError, TypeError, ValueError):  # written by another version of ConfigSpace
        return None


def _active(values: Sequence[Any], space: ConfigurationSpace) -> dict[str, Any] | None:
    """The values by name, parents coming before their children; None if they do not fit."""
    remaining = list(reversed(values))
    config: dict[str, Any] = {}
    for name, parameter in space.items():
        if not all(_holds(condition, config) for condition in space.parent_conditions_of[name]):
            continue
        if not remaining or not parameter.legal_value(remaining[-1]):
            return None
        config[name] = remaining.pop()
    return None if remaining else config


def _holds(condition: Any, config: Mapping[str, Any]) -> bool:
    try:
        return bool(condition.satisfied_by_value(config))
    except KeyError:  # its parent is not active
        return False


def _bbob(function: Mapping[str, Any], task: Mapping[str, Any]) -> Known:
    del task
    instance = {"function": function["fid"], "dimension": function["dimension"]}
    return Known("bbob", f"{_FUNCTIONS}.bbob.Bbob", {**instance, "instance": function["instance"]})


def _pymoo(function: Mapping[str, Any], task: Mapping[str, Any]) -> Known | None:
    problem = str(function["problem_name"])
    family, number = problem.rstrip("0123456789"), problem[-1]
    dimension, count = task["metadata"]["dimensions"], task["output_space"]["n_objectives"]
    if problem == "kursawe":
        return Known("kursawe", f"{_FUNCTIONS}.kursawe.Kursawe", {})
    if problem in ("zdt1", "zdt2", "zdt3"):
        return Known("zdt", f"{_FUNCTIONS}.zdt.Zdt", {"instance": int(number), "dimension": dimension})
    if problem in ("zdt4", "zdt6") and dimension == 10:
        return Known("pymoo", _PYMOO, {"problem": problem})
    if family in ("dtlz", "wfg"):
        return Known(family, _PYMOO, {"problem": problem, "dimension": dimension, "count": count})
    return None


def _mf_hartmann(function: Mapping[str, Any], task: Mapping[str, Any]) -> Known | None:
    del task
    match = re.fullmatch(r"mfh(\d)_(\w+)", str(function["benchmark"]))
    if match is None or any((function.get("benchmark_kwargs") or {}).values()):
        return None
    instance = {"dimension": int(match[1]), "quality": match[2]}
    return Known("mf_hartmann", f"{_FUNCTIONS}.mf_hartmann.MfHartmann", instance)


def _lcbench(function: Mapping[str, Any], task: Mapping[str, Any]) -> Known | None:
    """The one scenario of YAHPO Gym for which carps logs the run times that our tasks have."""
    del task
    found = function["bench"], function["budget_type"], list(function["metric"])
    if found != ("lcbench", "epoch", ["val_accuracy"]):
        return None
    return Known("lcbench", f"{_FUNCTIONS}.yahpo.Yahpo", {"instance": str(function["instance"])})


_FUNCTIONS = "workloads.library.functions"
_PYMOO = f"{_FUNCTIONS}.pymoo_problems.PymooProblem"
_FIXED = {"lcbench": {"scenario": "lcbench", "targets": ["val_accuracy"]}}
"""Everything in the suites' definitions except the target."""
_FAMILIES: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Known | None]] = {
    "BBOBObjectiveFunction": _bbob,
    "PymooObjectiveFunction": _pymoo,
    "MFPBenchObjectiveFunction": _mf_hartmann,
    "YahpoObjectiveFunction": _lcbench,
}
"""The tasks that we have as well, by the class of their objective function."""
