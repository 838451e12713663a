"""Whether a configuration lies in a search space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import Constant

from search_spaces.codec import Codec
from search_spaces.domains import describe, legal_value
from search_spaces.errors import ConfigurationError
from search_spaces.reading import Nothing, closest, listing
from search_spaces.values import Config, Scalar


def check(space: ConfigurationSpace, codec: Codec, config: Mapping[str, Any], path: str) -> Config:
    """``config`` as plain Python values, completed; see :meth:`search_spaces.SearchSpace.check`."""
    names = tuple(space)
    for name, value in config.items():
        if name not in names:
            expected = f"one of the parameters {listing(names)}"
            raise ConfigurationError(f"{path}.{name}", expected, value, closest(name, names))
    given = {
        name: legal_value(parameter, config[name], f"{path}.{name}")
        for name, parameter in space.items()
        if name in config
    }
    checked = _complete(space, codec, given, path)
    violated = codec.violated(checked)
    if violated:
        raise ConfigurationError(path, "a configuration that is not forbidden", checked, violated)
    return checked


def _complete(space: ConfigurationSpace, codec: Codec, config: Config, path: str) -> Config:
    """``config`` with its constants, if exactly its active parameters have values."""
    active = codec.active_names(config)
    complete: dict[str, Scalar] = {}
    for name, parameter in space.items():
        if name in config and name not in active:
            conditions = "; ".join(map(str, space.parent_conditions_of[name]))
            raise ConfigurationError(
                f"{path}.{name}", "no value, since the parameter is inactive", config[name], conditions
            )
        if name in config:
            complete[name] = config[name]
        elif name in active and isinstance(parameter, Constant):
            complete[name] = parameter.value
        elif name in active:
            raise ConfigurationError(f"{path}.{name}", describe(parameter), Nothing())
    return complete
