"""From a resolved configuration to the objects of a search study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from numbers import Real
from typing import Any

from orchestrator.config.targets import instantiate, target_of
from orchestrator.config.workload import assemble_workload, check_workers, objectives_of
from orchestrator.objective import sign
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.rungs import Rungs
from orchestrator.population.schedule import Followed
from orchestrator.search.budget import Budget
from orchestrator.search.earlier.inbox import configurations
from orchestrator.search.history.records import OWN_COLUMNS
from orchestrator.search.trials.scheduled import schedule_of, tuned_space
from orchestrator.search.trials.tried import deterministic
from orchestrator.stopping.rules import StoppingRule
from orchestrator.trial import with_bounds
from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from search_spaces.reading import Nothing, closest, listing
from workloads.capabilities import ConstrainedWorkload
from workloads.contract import Fidelity, Objective, Workload

_ETA, _DEFAULT_ETA = "eta", 3


@dataclass(frozen=True)
class SearchParts:
    """What a search study is made of.

    Args:
        objectives: with the study's reference point.
        constraints: metrics with a bound that are not optimised.
        stopping: None where no trial is stopped early.
        rungs: where trials report.
        space: what the search tunes; the workload's own has what a schedule sets, too.
        budget: when the study ends.
        initial: configurations that are tried first.
        followed: the schedule of all trials; None: there is none.
    """

    space: SearchSpace
    workload: Workload
    objectives: tuple[Objective, ...]
    constraints: tuple[Objective, ...]
    optimizer: Optimizer
    stopping: StoppingRule | None
    rungs: Rungs
    budget: Budget
    initial: tuple[Config, ...] = ()
    followed: Followed | None = None


def assemble_search(config: Mapping[str, Any]) -> SearchParts:
    """Build and check the objects that a search study's configuration describes.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: something cannot be built, or does not fit with the rest; the key is absolute.
    """
    search = config["search"]
    workload = assemble_workload(config, build_space(config["search_space"], "search_space"))
    schedule = schedule_of(config, workload)
    space = tuned_space(config)
    objectives = _with_reference(tuple(workload.objectives), search["reference"])
    _check_names(objectives)
    _check_constraints(search["constraints"], objectives)
    constraints = constraints_of(workload, search["constraints"])
    chooses = _chooses(config, workload)
    definition = _with_eta(config["optimizer"], search["eta"]) if chooses else config["optimizer"]
    # One eta: trials report at the rungs to which the optimizer trains them.
    eta = definition.get(_ETA, search["eta"]) if chooses else search["eta"]
    rungs = Rungs.of(workload.fidelity, search["first_rung"], eta)
    stopping = _stopping(search["stopping"], objectives, constraints, rungs, chooses, config["optimizer"])
    check_workers(workload, search["workers"], "search.workers")
    _check_seeds(search, workload)
    optimizer: Optimizer = instantiate(
        definition,
        "optimizer",
        space=space,
        objectives=objectives,
        seed=config["seed"],
        fidelity=Fidelity(workload.fidelity.unit, rungs.first, rungs.largest) if chooses else None,
        constraints=constraints,
    )
    budget = budget_of(search, objectives)
    initial = _initial(search["initial"], space, budget.trials)
    return SearchParts(
        space,
        workload,
        objectives,
        constraints,
        optimizer,
        stopping,
        rungs,
        budget,
        initial,
        schedule,
    )


def _check_seeds(search: Mapping[str, Any], workload: Workload) -> None:
    if not deterministic(workload):
        return
    for key, least in (("repeats", 1), ("finalists", 0)):
        if search[key] > least:
            expected = f"{least} for a workload whose results no seed changes"
            raise ConfigurationError(f"search.{key}", expected, search[key])


def _initial(given: Any, space: SearchSpace, trials: int) -> tuple[Config, ...]:
    """The configurations that are tried first."""
    initial = configurations(given, space, "search.initial")
    if len(initial) > trials:
        expected = f"at most search.trials = {trials} configurations"
        raise ConfigurationError("search.initial", expected, len(initial))
    return tuple(initial)


def budget_of(search: Mapping[str, Any], objectives: Sequence[Objective]) -> Budget:
    """When a study ends.

    Args:
        search: the configuration's ``search`` part.

    Raises:
        ConfigurationError: the target is none.
    """
    return Budget(
        search["trials"],
        search["seconds"],
        search["fidelity_units"],
        _target(search["target"], objectives),
        search["patience"],
    )


def _target(target: object, objectives: Sequence[Objective]) -> tuple[float, ...] | None:
    """The losses that a trial has to reach together."""
    if target is None:
        return None
    key, names = "search.target", [one.name for one in objectives]
    given = {names[0]: target} if len(names) == 1 and not isinstance(target, Mapping) else target
    if not isinstance(given, Mapping) or not given:
        raise ConfigurationError(key, f"a mapping from objectives ({listing(names)}) to numbers", target)
    for name, value in given.items():
        if name not in names:
            expected = f"one of the objectives {listing(names)}"
            raise ConfigurationError(key, expected, name, closest(name, names))
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise ConfigurationError(key, "a finite number", value)
    return tuple(sign(one) * float(given[one.name]) if one.name in given else math.inf for one in objectives)


def _with_eta(definition: Mapping[str, Any], eta: int) -> Mapping[str, Any]:
    """The definition with the study's ``eta``, unless it has its own.

    Raises:
        ConfigurationError: the optimizer takes none, and the study's is not the default.
    """
    if _ETA in signature(target_of(definition, "optimizer")).parameters:
        return {_ETA: eta, **definition}
    if eta != _DEFAULT_ETA:
        name = definition["_target_"].rpartition(".")[2]
        expected = f"its default {_DEFAULT_ETA}, since {name} has no argument eta"
        raise ConfigurationError("search.eta", expected, eta)
    return definition


def _chooses(config: Mapping[str, Any], workload: Workload) -> bool:
    """Whether the optimizer chooses fidelities.

    One that may do so does where the training of all trials together is what the study may spend: with a
    number of trials, it would fill it with short ones.
    """
    can, search = _capabilities(config), config["search"]
    if not can.may_choose_fidelity:
        return can.fidelity
    several = workload.fidelity.largest > 1
    return several and search["fidelity_units"] is not None and not search["stopping"]


def _capabilities(config: Mapping[str, Any]) -> Capabilities:
    if not config["optimizer"]:
        hint = "choose one with optimizer=<name>"
        raise ConfigurationError("optimizer", "an optimizer", Nothing(), hint)
    found = getattr(target_of(config["optimizer"], "optimizer"), "capabilities", None)
    if not isinstance(found, Capabilities):
        expected = "a class of optimizers (orchestrator.search.Optimizer)"
        raise ConfigurationError("optimizer._target_", expected, config["optimizer"]["_target_"])
    return found


def _stopping(
    definition: Mapping[str, Any],
    objectives: Sequence[Objective],
    constraints: Sequence[Objective],
    rungs: Rungs,
    optimizer_chooses: bool,
    optimizer: Mapping[str, Any],
) -> StoppingRule | None:
    if not definition:
        return None
    key = "search.stopping"
    rule: object = instantiate(definition, key)
    if not isinstance(rule, StoppingRule):
        expected = "a rule that stops trials (orchestrator.stopping)"
        raise ConfigurationError(f"{key}._target_", expected, definition["_target_"])
    if optimizer_chooses:
        name = optimizer["_target_"].rpartition(".")[2]
        expected = f"none, since {name} decides itself how far a trial is trained"
        raise ConfigurationError(key, expected, rule.name, "search/stopping=none")
    rule.serves(objectives, rungs, constraints)
    return rule


def constraints_of(workload: Workload, definitions: Sequence[Mapping[str, Any]]) -> tuple[Objective, ...]:
    """The metrics that must keep a bound and are not optimised: the workload's own, then the study's.

    A bound that the study sets replaces the workload's for the same metric.

    Args:
        definitions: the configured ``search.constraints``.
    """
    configured = objectives_of(definitions, "search.constraints")
    own = workload.constraints if isinstance(workload, ConstrainedWorkload) else ()
    replaced = {one.name for one in with_bounds(workload.objectives, configured)}
    return (*(one for one in own if one.name not in replaced), *configured)


def _check_names(objectives: Sequence[Objective]) -> None:
    for objective in objectives:
        if objective.name in OWN_COLUMNS:
            hint = "the study's tables have columns of these names"
            expected = f"names other than {listing(OWN_COLUMNS)}"
            raise ConfigurationError("objectives", expected, objective.name, hint)


def _check_constraints(definitions: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> None:
    names = [objective.name for objective in objectives]
    for index, constraint in enumerate(objectives_of(definitions, "search.constraints")):
        key = f"search.constraints[{index}]"
        if constraint.bound is None:
            raise ConfigurationError(f"{key}.bound", "a number", Nothing())
        if constraint.name in names:
            hint = "give the objective a bound instead"
            raise ConfigurationError(f"{key}.name", "a metric that is not optimised", constraint.name, hint)


def _with_reference(objectives: tuple[Objective, ...], reference: object) -> tuple[Objective, ...]:
    """The objectives, with the reference values of ``search.reference`` where it is given."""
    if reference is None:
        return objectives
    key, names = "search.reference", [objective.name for objective in objectives]
    if isinstance(reference, Mapping):
        for name in reference:
            if name not in names:
                expected = f"one of the objectives {listing(names)}"
                raise ConfigurationError(key, expected, name, closest(name, names))
        values = [reference.get(objective.name, objective.reference) for objective in objectives]
    elif isinstance(reference, Sequence) and not isinstance(reference, str):
        values = list(reference)
    else:
        raise ConfigurationError(key, "a list of numbers or a mapping by objective", reference)
    if len(values) != len(objectives):
        expected = f"{len(names)} values, one for each of {listing(names)}"
        raise ConfigurationError(key, expected, reference)
    for value in values:
        if value is not None and (isinstance(value, bool) or not isinstance(value, Real)):
            raise ConfigurationError(key, "numbers", value)
    return tuple(
        replace(objective, reference=None if value is None else float(value))
        for objective, value in zip(objectives, values, strict=True)
    )
