"""The search space that the whole program uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import Constant

from search_spaces.codec import Codec
from search_spaces.columns import Floats
from search_spaces.domains import Config, Scalar, describe, legal_value
from search_spaces.errors import ConfigurationError
from search_spaces.exploring import Explore
from search_spaces.reading import Nothing, closest, listing

_MOST_DRAWS = 1_000_000
_LARGEST_BATCH = 50_000


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """The parameters that vary, and which of them may change while training runs.

    Args:
        configuration_space: parameters with bounds, scales, defaults, priors; conditions, forbidden clauses.
        mutable: names of the parameters that may change while training runs.
        exploring: by name, how some of them change then, where that is not left to the explore rule.

    Raises:
        ConfigurationError: ``mutable`` names a constant or no parameter at all.
    """

    configuration_space: ConfigurationSpace
    mutable: frozenset[str] = frozenset()
    exploring: Mapping[str, Explore] = field(default_factory=dict)

    def __post_init__(self) -> None:
        varying = [column.name for column in self.codec.columns]
        for name in sorted(self.mutable.difference(varying)):
            raise ConfigurationError(
                "mutable", f"names among {listing(varying)}", name, closest(name, varying)
            )

    @cached_property
    def codec(self) -> Codec:
        """The mapping to arrays in the unit cube."""
        return Codec(self.configuration_space, self.mutable, self.exploring)

    @property
    def names(self) -> tuple[str, ...]:
        """All parameters, constants included, parents before their children."""
        return tuple(self.configuration_space)

    def default(self) -> Config:
        """The configuration of all defaults."""
        return self.check(dict(self.configuration_space.get_default_configuration()), "default")

    def sample(self, n: int, rng: np.random.Generator) -> list[Config]:
        """``n`` configurations from the priors that satisfy conditions and forbidden clauses.

        What is drawn depends on ``rng`` alone: equal generators give equal samples.
        """
        return self.codec.decode(self.sample_units(n, rng))

    def sample_units(self, n: int, rng: np.random.Generator) -> Floats:
        """The same samples as :meth:`sample`, as ``(n, dim)`` coordinates.

        Raises:
            ConfigurationError: the forbidden clauses leave almost nothing of the space.
        """
        accepted = np.empty((0, self.codec.dim))
        drawn, batch = 0, n
        while len(accepted) < n:
            units = self.codec.repair(np.full((batch, self.codec.dim), np.nan), rng)
            accepted = np.concatenate([accepted, units[self.codec.legal(units)]])
            drawn, batch = drawn + batch, min(2 * batch, _LARGEST_BATCH)
            if drawn > _MOST_DRAWS and len(accepted) < n:
                raise ConfigurationError(
                    "forbidden",
                    "clauses that leave a part of the space",
                    listing(map(str, self.configuration_space.forbidden_clauses)),
                    f"only {len(accepted)} of {drawn} draws were allowed",
                )
        return accepted[:n]

    def check(self, config: Mapping[str, Any], path: str = "config") -> Config:
        """``config`` as plain Python values; constants that are active are added where they are missing.

        Args:
            config: values by parameter.
            path: where the configuration stands in the user's config; error messages begin with it.

        Raises:
            ConfigurationError: a parameter is unknown, missing, inactive or out of its range, or the values
                together are forbidden.
        """
        for name, value in config.items():
            if name not in self.names:
                expected = f"one of the parameters {listing(self.names)}"
                raise ConfigurationError(f"{path}.{name}", expected, value, closest(name, self.names))
        given = {
            name: legal_value(parameter, config[name], f"{path}.{name}")
            for name, parameter in self.configuration_space.items()
            if name in config
        }
        checked = self._complete(given, path)
        violated = self.codec.violated(checked)
        if violated:
            raise ConfigurationError(path, "a configuration that is not forbidden", checked, violated)
        return checked

    def immutable_part(self, config: Config) -> Config:
        """The entries that cannot change while training runs."""
        return {name: value for name, value in config.items() if name not in self.mutable}

    def _complete(self, config: Config, path: str) -> Config:
        """``config`` with its constants, if exactly its active parameters have values."""
        active = self.codec.active_names(config)
        complete: dict[str, Scalar] = {}
        for name, parameter in self.configuration_space.items():
            if name in config and name not in active:
                conditions = "; ".join(map(str, self.configuration_space.parent_conditions_of[name]))
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
