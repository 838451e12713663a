"""Families of tasks: one definition, and one task for every combination of its instances' parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.benchmark.task import Task, usual_evaluations
from orchestrator.config.targets import instantiate
from orchestrator.config.workload import objectives_of
from search_spaces import ConfigurationError, build_space
from search_spaces.reading import Nothing, closest
from workloads.contract import Workload

_PARTS = ("space", "objectives", "fidelity", "start")
_OF_THE_SUITE = {"space": "search_space", "objectives": "objectives"}
"""Arguments of a workload's class that a suite has under keys of its own."""
_FROM_A_FILE = "or, in the suite's file, a whole workload by defaults: [/workload@workload: NAME]"


def tasks_of(suite: str, definition: Mapping[str, Any], key: str) -> list[Task]:
    """The tasks of a suite, in the order of its parameters' values.

    Args:
        suite: its name, the first part of its tasks' names.
        definition: ``workload`` (``_target_`` and what all instances share), ``instances`` (lists of values
            by parameter of the workload; every combination is a task), ``multi_fidelity``, ``evaluations``
            (None: carps' budget), ``anytime``, ``variants`` (parameters whose values make variants of one
            problem), ``objectives`` and ``search_space`` (empty: the workload's own).
        key: where the definition stands in the configuration, for error messages.

    Raises:
        ConfigurationError: there is no such instance, or the workload cannot be built.
    """
    _check_variants(definition, f"{key}.variants")
    return [
        _task(suite, definition, instance, key) for instance in _combinations(definition["instances"], key)
    ]


def _task(suite: str, definition: Mapping[str, Any], instance: Mapping[str, Any], key: str) -> Task:
    workload = _workload(definition, instance, key)
    evaluations = definition["evaluations"]
    if definition["multi_fidelity"] and workload.fidelity.largest == 1:
        expected = "false, since the workload has one fidelity"
        raise ConfigurationError(f"{key}.multi_fidelity", expected, True)
    if evaluations is not None and evaluations < 1:
        raise ConfigurationError(f"{key}.evaluations", "at least 1, or null for carps' budget", evaluations)
    return Task(
        name=_name(suite, instance),
        suite=suite,
        workload=workload,
        multi_fidelity=definition["multi_fidelity"],
        evaluations=usual_evaluations(workload.space.codec.dim) if evaluations is None else evaluations,
        anytime=definition.get("anytime", False),
        problem=_problem(suite, instance, definition.get("variants", ())),
    )


def _name(suite: str, instance: Mapping[str, Any]) -> str:
    values = ",".join(f"{parameter}={value}" for parameter, value in instance.items())
    return f"{suite}/{values}" if values else suite


def _problem(suite: str, instance: Mapping[str, Any], variants: Sequence[str]) -> str:
    if not variants:
        return ""
    return _name(suite, {name: value for name, value in instance.items() if name not in variants})


def _check_variants(definition: Mapping[str, Any], key: str) -> None:
    names = list(definition["instances"])
    for name in definition.get("variants", ()):
        if name not in names:
            expected = f"parameters of instances: {', '.join(names) or 'there are none'}"
            raise ConfigurationError(key, expected, name, closest(str(name), names))


def _workload(definition: Mapping[str, Any], instance: Mapping[str, Any], key: str) -> Workload:
    below = f"{key}.workload"
    if not definition["workload"]:
        raise ConfigurationError(below, "a workload", Nothing(), "choose a suite with +suite@<key>=<name>")
    context: dict[str, Any] = {}
    if definition["search_space"]:
        context["space"] = build_space(definition["search_space"], f"{key}.search_space")
    if definition["objectives"]:
        context["objectives"] = objectives_of(definition["objectives"], f"{key}.objectives")
    given = {**definition["workload"], **instance}
    try:
        workload: Workload = instantiate(given, below, **context)
    except ConfigurationError as error:
        raise _as_written(error, key, instance) from error
    missing = [part for part in _PARTS if not hasattr(workload, part)]
    if missing:
        expected = "something that makes a workload (workloads.contract.Workload)"
        raise ConfigurationError(f"{below}._target_", expected, given["_target_"])
    if not workload.objectives:
        raise ConfigurationError(below, "one with objectives", type(workload).__name__)
    return workload


def _as_written(error: ConfigurationError, key: str, instance: Mapping[str, Any]) -> ConfigurationError:
    """The error under the key below ``key``, the suite's, that the user writes.

    Instances' values are no keys of the workload, nor are a space and objectives that its class has not.
    """
    parameter = error.key.removeprefix(f"{key}.workload.").removeprefix("workload.")
    if parameter in instance:
        return ConfigurationError(f"{key}.instances.{parameter}", error.expected, error.found, error.hint)
    if isinstance(error.found, Nothing) and parameter in _OF_THE_SUITE:
        own = f"{key}.{_OF_THE_SUITE[parameter]}"
        return ConfigurationError(own, error.expected, error.found, _FROM_A_FILE)
    return error


def _combinations(instances: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """Every combination of the values, the last parameter varying fastest."""
    lists = {}
    for name, given in instances.items():
        values = given if isinstance(given, list) else [given]
        if not values or len(set(map(repr, values))) < len(values):
            raise ConfigurationError(f"{key}.instances.{name}", "one value or several different ones", values)
        lists[name] = values
    for combination in itertools.product(*lists.values()):
        yield dict(zip(lists, combination, strict=True))
