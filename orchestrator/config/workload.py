"""The workload of a study, made from its configuration: the same on the driver and on every worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.config.targets import instantiate
from search_spaces import ConfigurationError, SearchSpace
from search_spaces.reading import Nothing
from workloads.contract import Objective, PreparedWorkload, Workload

_WORKLOAD_PARTS = ("space", "objectives", "fidelity", "start")


def assemble_workload(config: Mapping[str, Any], space: SearchSpace) -> Workload:
    """The workload that a study of any kind trains, with the study's objectives where it names its own.

    Raises:
        ConfigurationError: it cannot be built; the key is absolute.
    """
    definition = config["workload"]
    if not definition:
        raise ConfigurationError("workload", "a workload", Nothing(), "choose one with workload=<name>")
    chosen = objectives_of(config["objectives"], "objectives")
    workload: Workload = instantiate(
        definition, "workload", space=space, **({"objectives": chosen} if chosen else {})
    )
    missing = [part for part in _WORKLOAD_PARTS if not hasattr(workload, part)]
    if missing:
        raise ConfigurationError(
            "workload._target_",
            "something that makes a workload (workloads.contract.Workload)",
            definition["_target_"],
            f"what it makes has no {', '.join(missing)}",
        )
    return workload


def prepare_workload(workload: Workload) -> None:
    """Let the workload get what it needs, if it needs anything.

    Raises:
        ConfigurationError: it cannot be had.
    """
    if isinstance(workload, PreparedWorkload):
        try:
            workload.prepare()
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
