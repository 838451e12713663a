"""From a resolved configuration to the objects of a study: the same on the driver and on every worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.population.explore import ExploreRule, NoExplore
from orchestrator.population.rules import ExploitRule
from orchestrator.targets import instantiate
from search_spaces import ConfigurationError, SearchSpace, build_space
from search_spaces.reading import Nothing
from workloads.base import Objective, PreparedWorkload, Workload

_WORKLOAD_PARTS = ("space", "objectives", "fidelity", "start")


@dataclass(frozen=True)
class PopulationParts:
    """What a population study is made of."""

    space: SearchSpace
    workload: Workload
    objectives: tuple[Objective, ...]
    exploit: ExploitRule
    explore: ExploreRule


def assemble_population(config: Mapping[str, Any]) -> PopulationParts:
    """Build and check the objects that a population study's configuration describes.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: something cannot be built, or does not fit with the rest; the key is absolute.
    """
    population = config["population"]
    space = build_space(config["search_space"], "search_space")
    workload = assemble_workload(config, space)
    objectives = tuple(workload.objectives)
    exploit: ExploitRule = _rule(population, "exploit")
    explore: ExploreRule = _rule(population, "explore")
    try:
        exploit.serves(len(objectives), population["size"])
    except ConfigurationError as error:
        raise error.within("population.exploit") from error
    for objective in objectives:
        if objective.bound is not None:
            hint = "no population method honours constraints"
            raise ConfigurationError(f"objectives.{objective.name}.bound", "null", objective.bound, hint)
    if not isinstance(explore, NoExplore) and not space.mutable:
        raise ConfigurationError(
            "search_space.parameters",
            "at least one parameter with 'mutable: true'",
            space.names,
            "or choose population/explore=none",
        )
    for number, initial in enumerate(population["initial"]):
        space.check(initial, f"population.initial[{number}]")
    return PopulationParts(space, workload, objectives, exploit, explore)


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
            "something that makes a workload (workloads.base.Workload)",
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


def _rule(population: Mapping[str, Any], name: str) -> Any:
    key = f"population.{name}"
    if not population[name]:
        raise ConfigurationError(key, "a rule", Nothing(), f"choose one with population/{name}=<name>")
    return instantiate(population[name], key)
