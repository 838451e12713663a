"""Configurations of another search space in this one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ConfigSpace.hyperparameters import FloatHyperparameter, IntegerHyperparameter

from search_spaces.domains import Parameter, choices, legal_value
from search_spaces.space import SearchSpace
from search_spaces.values import Config, Scalar


@dataclass(frozen=True)
class Fitted:
    """A configuration that was made for another space, or that a table holds.

    Args:
        config: what it is in this space.
        unknown: names that this space does not have; they are left out.
        assumed: parameters that it had no value for; they have their defaults.
    """

    config: Config
    unknown: tuple[str, ...]
    assumed: tuple[str, ...]


def fitted(values: Mapping[str, Any], space: SearchSpace) -> Fitted:
    """``values`` as a configuration of ``space``.

    What only the conditions of ``space`` make inactive is left out. Values may be texts, or floats where
    integers are meant, as tables hold them; None and NaN are no values.

    Raises:
        ConfigurationError: a value is out of its parameter's range, or the values together are forbidden.
    """
    parameters = space.configuration_space
    config: dict[str, Scalar] = {}
    for name, value in values.items():
        if name in parameters and not _missing(value):
            config[name] = legal_value(parameters[name], _read(parameters[name], value), name)
    assumed = []
    for name in space.names:  # parents before their children
        if name not in config and name in space.codec.active_names(config):
            config[name] = legal_value(parameters[name], parameters[name].default_value, name)
            assumed.append(name)
    active = space.codec.active_names(config)
    checked = space.check({name: value for name, value in config.items() if name in active})
    unknown = tuple(name for name in values if name not in parameters)
    varying = {column.name for column in space.codec.columns}
    return Fitted(checked, unknown, tuple(name for name in assumed if name in active and name in varying))


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _read(parameter: Parameter, value: Any) -> Any:
    """A value as its parameter's type, where a table has it as another."""
    if hasattr(value, "item"):  # NumPy's
        value = value.item()
    if isinstance(parameter, IntegerHyperparameter | FloatHyperparameter):
        if isinstance(value, str):
            value = _number(value)
        whole = isinstance(parameter, IntegerHyperparameter) and isinstance(value, float)
        return int(value) if whole and value.is_integer() else value
    known = choices(parameter)
    return next((one for one in known if one != value and str(one) == str(value)), value)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
