"""The parts of a population study, made from its configuration, on the driver and on every worker."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.config.schedules import KEY as SCHEDULE
from orchestrator.config.targets import TARGET, instantiate, target_of
from orchestrator.config.workload import assemble_workload, check_workers
from orchestrator.population.decision import ShrinkPerturb
from orchestrator.population.methods.contract import Method, crosses
from orchestrator.population.past import Setting
from orchestrator.population.schedule import Followed, Schedule, fitted
from search_spaces import ConfigurationError, SearchSpace, build_space, trusted_space
from search_spaces.reading import Nothing
from workloads.capabilities import blocks_of
from workloads.contract import Objective, Workload

KEY = "population.method"
PBT = {TARGET: "orchestrator.population.methods.pbt.Pbt"}
"""The method of studies that name none, as those of earlier versions do."""

AUTO = "auto"
"""The interval of studies whose method finds out by itself how often to decide."""

_ABSOLUTE = ("search_space", "objectives", "population")
_RULES = ("exploit", "explore")


@dataclass(frozen=True)
class PopulationParts:
    """What a population study is made of.

    Args:
        space: what varies.
        workload: what is trained.
        objectives: what is optimised.
        method: decides how members go on.
        interval: units of the workload's fidelity in an interval, a number also where the configuration says
            ``auto``.
        followed: the schedule that every member trains with; None: there is none.
    """

    space: SearchSpace
    workload: Workload
    objectives: tuple[Objective, ...]
    method: Method
    interval: int
    followed: Followed | None = None


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
    check_workers(workload, population["workers"], "population.workers")
    objectives = tuple(workload.objectives)
    method = assemble_method(population)
    try:
        blocks = blocks_of(workload)
        method.serves(Setting(space, objectives, population["size"], population["generations"], blocks))
    except ConfigurationError as error:
        top = error.key.partition(".")[0]
        if top in _ABSOLUTE:
            raise
        raise error.within("population" if top in _RULES else KEY) from error
    for number, initial in enumerate(population["initial"]):
        space.check(initial, f"population.initial[{number}]")
    interval = _interval(population, workload, method)
    schedule = _followed(config, workload, interval)
    _check_crossing(method, population["workers"], schedule)
    return PopulationParts(space, workload, objectives, method, interval, schedule)


def _check_crossing(method: Method, workers: int, schedule: Followed | None) -> None:
    """Refuse what does not go with blocks that cross."""
    hint = f"{type(method).__name__} lets blocks cross; population=pbt copies whole models"
    if crosses(method) and workers > 1:
        raise ConfigurationError("population.workers", "1", workers, hint)
    if crosses(method) and schedule is not None and schedule.schedule.changes:
        raise ConfigurationError(SCHEDULE, "a schedule without 'change'", "one that has it", hint)


def trained_workload(config: Mapping[str, Any]) -> tuple[Workload, int]:
    """What an island trains, and the interval as in :class:`PopulationParts`.

    Args:
        config: one that :func:`assemble_population` has accepted before.
    """
    workload = assemble_workload(config, trusted_space(config["search_space"]))
    population = config["population"]
    return workload, _interval(population, workload, assemble_method(population))


def change_at_birth(config: Mapping[str, Any]) -> ShrinkPerturb | None:
    """How the study's schedule changes new weights; None: not at all.

    Args:
        config: one that :func:`assemble_population` has accepted before.
    """
    data = config.get(SCHEDULE)
    return None if data is None else Schedule.from_data(data, SCHEDULE).change_at(0)


def _followed(config: Mapping[str, Any], workload: Workload, interval: int) -> Followed | None:
    """The study's schedule."""
    if config[SCHEDULE] is None:
        return None
    schedule = Schedule.from_data(config[SCHEDULE], SCHEDULE)
    return fitted(schedule, workload, interval, config["population"]["generations"], SCHEDULE)


def _interval(population: Mapping[str, Any], workload: Workload, method: Method) -> int:
    """The length of an interval; ``auto``: a life of full training, cut into the generations."""
    interval, key, fidelity = population["interval"], "population.interval", workload.fidelity
    if interval != AUTO:
        return int(interval)
    if not getattr(method, "adapts_interval", False):
        expected = (
            f"a number of {fidelity.unit}s, since {type(method).__name__} keeps the interval that it is given"
        )
        raise ConfigurationError(key, expected, interval, "population=ipbt adapts it")
    if fidelity.largest == 1:
        expected = "a number, since the workload does not say how long full training is"
        raise ConfigurationError(key, expected, interval)
    return max(fidelity.smallest, fidelity.largest // int(population["generations"]))


def assemble_method(population: Mapping[str, Any]) -> Method:
    """The method that ``population`` of a configuration describes, with the rules that it composes.

    Raises:
        ConfigurationError: it cannot be built, lacks a rule, or is given one that it does not compose.
    """
    definition = population.get("method") or PBT
    target = target_of(definition, KEY)
    takes = inspect.signature(target).parameters
    composed: dict[str, Any] = {}
    for name in _RULES:
        if name in takes:
            composed[name] = _rule(population, name)
        elif population[name]:
            _refuse(target, name, "nothing", population[name][TARGET])
    if "inherit_hyperparameters" in takes:
        composed["inherit_hyperparameters"] = population["inherit_hyperparameters"]
    elif not population["inherit_hyperparameters"]:
        _refuse(target, "inherit_hyperparameters", "true", False)
    method: Method = instantiate(definition, KEY, **composed)
    return method


def _refuse(target: Any, name: str, expected: str, found: Any) -> None:
    hint = f"{target.__name__} decides that itself; population=pbt composes rules"
    raise ConfigurationError(f"population.{name}", expected, found, hint)


def _rule(population: Mapping[str, Any], name: str) -> Any:
    key = f"population.{name}"
    if not population[name]:
        raise ConfigurationError(key, "a rule", Nothing(), f"choose one with population/{name}=<name>")
    return instantiate(population[name], key)
