"""A part of a space: some of its parameters hold one value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.columns import Floats
from search_spaces.reading import closest, listing

KEY = "optimizer.fixed"


def fixed_values(space: SearchSpace, fixed: Mapping[str, Any]) -> Config:
    """The values as the space has them.

    Raises:
        ConfigurationError: the space has no such parameter or value, or one is inactive with the others.
    """
    for name in fixed:
        if name not in space.names:
            raise ConfigurationError(
                KEY, f"names among {listing(space.names)}", name, closest(name, space.names)
            )
    values = {name: space.value(name, value, f"{KEY}.{name}") for name, value in fixed.items()}
    for name in values:
        if name not in space.codec.active_names(values):
            parents = [one.name for one in space.configuration_space.parents_of[name]]
            expected = f"a value for {listing(parents)} that makes {name} active"
            raise ConfigurationError(KEY, expected, dict(fixed))
    return values


def fixed_units(space: SearchSpace, values: Config) -> Floats:
    """Their coordinates, ``(dim,)``; NaN where nothing is fixed."""
    return space.codec.encode([values])[0] if values else np.full(space.codec.dim, np.nan)
