"""Conditions and forbidden clauses of the YAML definition, as ConfigSpace objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from ConfigSpace.conditions import (
    AndConjunction,
    Condition,
    Conjunction,
    EqualsCondition,
    GreaterThanCondition,
    InCondition,
    LessThanCondition,
    OrConjunction,
)
from ConfigSpace.forbidden import (
    ForbiddenAndConjunction,
    ForbiddenClause,
    ForbiddenConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
)
from ConfigSpace.hyperparameters import FloatHyperparameter

from search_spaces.domains import Parameter, choices, legal_value
from search_spaces.errors import ConfigurationError
from search_spaces.parameters import rounded
from search_spaces.reading import Section, as_list, closest, listing
from search_spaces.values import Scalar

ConditionLike: TypeAlias = Condition | Conjunction
Clause: TypeAlias = ForbiddenEqualsClause | ForbiddenInClause | ForbiddenAndConjunction

_OPERATORS = ("equals", "not_equals", "in", "greater", "less")


def read_conditions(
    definitions: Sequence[Any], parameters: Mapping[str, Parameter], mutable: frozenset[str], path: str
) -> list[ConditionLike]:
    """One condition per child; several on the same child must all hold.

    Raises:
        ConfigurationError: a condition is wrong, or they form a cycle.
    """
    of_child: dict[str, list[ConditionLike]] = {}
    parents: dict[str, list[str]] = {}
    for index, definition in enumerate(definitions):
        example = "a mapping like {child: a, parent: b, equals: 1}"
        section = Section.of(definition, f"{path}[{index}]", example)
        condition = _condition(section, parameters, mutable)
        siblings = of_child.setdefault(section.entries["child"], [])
        # ConfigSpace takes "a and a" for the same as "a and b" of another child.
        if condition not in siblings:
            siblings.append(condition)
        parents.setdefault(section.entries["child"], []).append(section.entries["parent"])
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        cycle = " -> ".join(error.args[1])
        raise ConfigurationError(path, "conditions without a cycle", cycle) from None
    return [
        AndConjunction(*conditions) if len(conditions) > 1 else conditions[0]
        for conditions in of_child.values()
    ]


def _condition(
    section: Section, parameters: Mapping[str, Parameter], mutable: frozenset[str]
) -> ConditionLike:
    section.only("child", "parent", *_OPERATORS)
    child = _named(section.get("child", "a parameter's name"), parameters, section.key("child"))
    parent = _named(section.get("parent", "a parameter's name"), parameters, section.key("parent"))
    if child is parent:
        raise ConfigurationError(section.key("parent"), "another parameter than the child", parent.name)
    operators = [name for name in _OPERATORS if section.has(name)]
    if len(operators) != 1:
        raise ConfigurationError(section.path, f"exactly one of {listing(_OPERATORS)}", dict(section.entries))
    if parent.name in mutable and child.name not in mutable:
        raise ConfigurationError(
            section.key("child"),
            f"a mutable parameter, since its parent {parent.name!r} is mutable",
            child.name,
            "a parameter fixed at birth cannot appear or vanish in training",
        )
    return _comparison(operators[0], child, parent, section)


def _comparison(operator: str, child: Parameter, parent: Parameter, section: Section) -> ConditionLike:
    key, value = section.key(operator), section.entries[operator]
    if operator in ("greater", "less") and not parent.ORDERABLE:
        raise ConfigurationError(
            key, "a float, int or ordinal parent", parent.name, "use equals, not_equals or in"
        )
    if operator == "in":
        values = as_list(value, key, "a list of values, not empty")
        return InCondition(
            child, parent, [_legal(parent, one, f"{key}[{i}]") for i, one in enumerate(values)]
        )
    legal = _legal(parent, value, key)
    if operator == "equals":
        return EqualsCondition(child, parent, legal)
    if operator == "greater":
        return GreaterThanCondition(child, parent, legal)
    if operator == "less":
        return LessThanCondition(child, parent, legal)
    # ConfigSpace's own "not equal" also holds for an inactive parent, because NaN differs from everything.
    if known := choices(parent):
        return InCondition(child, parent, [choice for choice in known if choice != legal])
    return OrConjunction(LessThanCondition(child, parent, legal), GreaterThanCondition(child, parent, legal))


def read_forbidden(
    definitions: Sequence[Any], parameters: Mapping[str, Parameter], path: str
) -> list[Clause]:
    """One clause per entry: all of its parameters together; a list as value means any of its values.

    Raises:
        ConfigurationError: an unknown parameter, or a value that it cannot take.
    """
    return [
        _clause(definition, parameters, f"{path}[{index}]") for index, definition in enumerate(definitions)
    ]


def _clause(definition: Any, parameters: Mapping[str, Parameter], path: str) -> Clause:
    section = Section.of(definition, path, "a mapping from parameters to values")
    parts: list[ForbiddenEqualsClause | ForbiddenInClause] = []
    for name, value in section.entries.items():
        key = section.key(name)
        parameter = _named(name, parameters, key)
        if isinstance(value, Sequence) and not isinstance(value, str):
            values = as_list(value, key, "a value or a list of values, not empty")
            legal = [_legal(parameter, one, f"{key}[{i}]") for i, one in enumerate(values)]
            parts.append(ForbiddenInClause(parameter, legal))
        else:
            parts.append(ForbiddenEqualsClause(parameter, _legal(parameter, value, key)))
    return ForbiddenAndConjunction(*parts) if len(parts) > 1 else parts[0]


def _named(name: object, parameters: Mapping[str, Parameter], key: str) -> Parameter:
    if isinstance(name, str) and name in parameters:
        return parameters[name]
    raise ConfigurationError(
        key, f"one of the parameters {listing(parameters)}", name, closest(name, parameters)
    )


def _legal(parameter: Parameter, value: object, key: str) -> Scalar:
    """A value that the parameter can take, and that ConfigSpace does not round to another."""
    legal = legal_value(parameter, value, key)
    return rounded(float(legal), key) if isinstance(parameter, FloatHyperparameter) else legal


def tied(clause: Any) -> frozenset[str]:
    """The parameters that a forbidden clause is about."""
    parts = clause.dlcs if isinstance(clause, ForbiddenConjunction) else (clause,)
    return frozenset(one.hyperparameter.name for one in parts if isinstance(one, ForbiddenClause))
