"""The workload of a study, made from its configuration: the same on the driver and on every worker."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.config.targets import instantiate, target_of
from search_spaces import ConfigurationError, SearchSpace, build_space
from search_spaces.reading import Nothing
from workloads.capabilities import CheckedDistribution, DistributedWorkload, PreparedWorkload
from workloads.contract import Objective, Workload

_WORKLOAD_PARTS = ("space", "objectives", "fidelity", "start")
_OWN_SPACE, _OBJECTIVES = "space", "objectives"


def with_own_spaces(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with each workload's own search space where nothing else is chosen.

    A workload's definition may hold a search space as ``space``, so that one YAML file says everything about
    it. A ``search_space`` beside the workload replaces it as a whole.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: a workload's own space that would be used is wrong.
    """
    suites = {
        name: _with_own_space(suite, f"benchmark.suites.{name}.workload")
        for name, suite in config["benchmark"]["suites"].items()
    }
    return {**_with_own_space(config, "workload"), "benchmark": {**config["benchmark"], "suites": suites}}


def _with_own_space(section: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A mapping with the keys ``workload``, which stands at ``key``, and ``search_space``."""
    workload = dict(section["workload"])
    own = workload.pop(_OWN_SPACE, None)
    if own is None:
        return dict(section)
    if not section["search_space"]:
        build_space(own, f"{key}.{_OWN_SPACE}")  # refuses it under the key that the user wrote
    return {**section, "workload": workload, "search_space": section["search_space"] or own}


def assemble_workload(config: Mapping[str, Any], space: SearchSpace) -> Workload:
    """The workload that a study of any kind trains, with the study's objectives where it names its own.

    Raises:
        ConfigurationError: it cannot be built; the key is absolute.
    """
    definition = config["workload"]
    if not definition:
        raise ConfigurationError("workload", "a workload", Nothing(), "choose one with workload=<name>")
    chosen = objectives_of(config["objectives"], _OBJECTIVES)
    if chosen:
        _check_choice(definition, chosen)
    workload: Workload = instantiate(
        definition, "workload", space=space, **({_OBJECTIVES: chosen} if chosen else {})
    )
    missing = [part for part in _WORKLOAD_PARTS if not hasattr(workload, part)]
    if missing:
        raise ConfigurationError(
            "workload._target_",
            "something that makes a workload (workloads.contract.Workload)",
            definition["_target_"],
            f"what it makes has no {', '.join(missing)}",
        )
    kind = config["study"]["kind"]
    if not workload.objectives and kind != "preference":
        expected = f"one with objectives in a {kind} study"
        hint = "where no metric says which result is better, you do: +study=preference workload=<name>"
        raise ConfigurationError("workload", expected, type(workload).__name__, hint)
    return workload


def _check_choice(definition: Mapping[str, Any], chosen: Sequence[Objective]) -> None:
    """Refuse objectives for a workload that cannot be told of any."""
    target = target_of(definition, "workload")
    try:
        takes = inspect.signature(target).parameters
    except ValueError:  # some classes written in C have no signature
        return
    several = any(one.kind is one.VAR_KEYWORD for one in takes.values())
    if _OBJECTIVES not in takes and not several:
        name = getattr(target, "__name__", str(target))
        expected = f"none, since {name} has objectives of its own and takes no others"
        names = [objective.name for objective in chosen]
        raise ConfigurationError(_OBJECTIVES, expected, names, f"give {name} an argument 'objectives'")


def prepare_workload(workload: Workload) -> None:
    """Let the workload fetch what it needs.

    Raises:
        ConfigurationError: it cannot be had.
    """
    if isinstance(workload, PreparedWorkload):
        try:
            workload.prepare()
        except ConfigurationError as error:
            raise error.within("workload") from error


def check_workers(workload: Workload, workers: int, key: str) -> None:
    """Refuse several processes for a workload that they cannot train together.

    Args:
        workers: how many are to train one trial or member.
        key: where that stands in the configuration.

    Raises:
        ConfigurationError: the workload is not a :class:`DistributedWorkload`, or not for so many of them.
    """
    if workers > 1 and not isinstance(workload, DistributedWorkload):
        expected = f"1, since {type(workload).__name__} cannot be trained by several processes"
        hint = "those in torch (workloads.torch) can, and any with a method start_worker"
        raise ConfigurationError(key, expected, workers, hint)
    if workers > 1 and isinstance(workload, CheckedDistribution):
        try:
            workload.check_workers(workers)
        except ConfigurationError as error:
            raise error.within("workload") from error


def objectives_of(definitions: Sequence[Mapping[str, Any]], key: str) -> tuple[Objective, ...]:
    """The metrics that a list in the configuration describes.

    Raises:
        ConfigurationError: a direction is neither ``min`` nor ``max``, or a metric is listed twice.
    """
    objectives: list[Objective] = []
    for index, definition in enumerate(definitions):
        try:
            objectives.append(Objective(**definition))
        except ConfigurationError as error:
            raise error.within(f"{key}[{index}]") from error
        names = [objective.name for objective in objectives]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"{key}[{index}].name", "a metric that is not listed yet", names[-1])
    return tuple(objectives)
