"""From a YAML definition to a search space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace

from search_spaces.errors import ConfigurationError
from search_spaces.parameters import Definition, read_parameter
from search_spaces.reading import Section
from search_spaces.relations import Clause, read_conditions, read_forbidden
from search_spaces.space import SearchSpace


def build(definition: Mapping[str, Any], path: str) -> SearchSpace:
    """The search space that ``definition`` describes; see :func:`search_spaces.build_space`."""
    section = Section.of(definition, path, "a mapping with the key 'parameters'")
    section.only("parameters", "conditions", "forbidden")
    definitions = _parameters(section)
    parameters = {name: one.parameter for name, one in definitions.items()}
    mutable = frozenset(name for name, one in definitions.items() if one.mutable)
    conditions = read_conditions(
        _entries(section, "conditions"), parameters, mutable, section.key("conditions")
    )
    clauses = read_forbidden(_entries(section, "forbidden"), parameters, section.key("forbidden"))
    configuration_space = ConfigurationSpace()
    configuration_space.add(*parameters.values())
    configuration_space.add(*conditions)
    _refuse_forbidden_default(configuration_space, clauses, section)
    configuration_space.add(*clauses)
    space = SearchSpace(
        configuration_space,
        mutable,
        {name: one.explore for name, one in definitions.items()},
        {name: one.meanings for name, one in definitions.items() if one.meanings},
    )
    try:
        space.sample_units(1, np.random.default_rng(0))
    except ConfigurationError as error:
        raise error.within(path) from None
    return space


def _parameters(section: Section) -> dict[str, Definition]:
    expected = "at least one parameter"
    definitions = Section.of(
        section.get("parameters", expected), section.key("parameters"), "a mapping with " + expected
    )
    found: dict[str, Definition] = {}
    for name, definition in definitions.entries.items():
        if not isinstance(name, str) or not name:
            raise ConfigurationError(definitions.path, "names that are strings", name)
        found[name] = read_parameter(name, definition, definitions.key(name))
    return found


def _entries(section: Section, name: str) -> Sequence[Any]:
    entries = section.entries.get(name)
    if entries is None:
        return ()
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise ConfigurationError(section.key(name), "a list", entries)
    return entries


def _refuse_forbidden_default(space: ConfigurationSpace, clauses: Sequence[Clause], section: Section) -> None:
    default = dict(space.get_default_configuration())
    for index, clause in enumerate(clauses):
        if clause.is_forbidden_value(default):
            raise ConfigurationError(
                f"{section.key('forbidden')}[{index}]",
                "a clause that allows the default configuration",
                section.entries["forbidden"][index],
                "give one of these parameters another default",
            )
