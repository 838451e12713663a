"""The parts of a population study, made from its configuration, on the driver and on every worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.config.targets import instantiate
from orchestrator.config.workload import assemble_workload
from orchestrator.population.explore import ExploreRule, NoExplore
from orchestrator.population.rules import ExploitRule
from search_spaces import ConfigurationError, SearchSpace, build_space
from search_spaces.reading import Nothing
from workloads.contract import Objective, Workload


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


def _rule(population: Mapping[str, Any], name: str) -> Any:
    key = f"population.{name}"
    if not population[name]:
        raise ConfigurationError(key, "a rule", Nothing(), f"choose one with population/{name}=<name>")
    return instantiate(population[name], key)
