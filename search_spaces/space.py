"""The search space that the whole program uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from search_spaces.columns import Floats
from search_spaces.errors import ConfigurationError
from search_spaces.exploring import Explore
from search_spaces.reading import closest, listing
from search_spaces.values import Config, Scalar

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from search_spaces.codec import Codec

_MOST_DRAWS = 1_000_000
_LARGEST_BATCH = 50_000


class _Parts(NamedTuple):
    configuration_space: ConfigurationSpace
    mutable: frozenset[str]
    exploring: Mapping[str, Explore]
    meanings: Mapping[str, Mapping[str, Any]]


class SearchSpace:
    """The parameters that vary, and which of them may change while training runs.

    Args:
        configuration_space: parameters with bounds, scales, defaults, priors; conditions, forbidden clauses.
        mutable: names of the parameters that may change while training runs.
        exploring: by name, how some of them change then, where that is not left to the explore rule.
        meanings: by name, what the labels of its choices stand for.

    Raises:
        ConfigurationError: ``mutable`` names a constant or no parameter at all.
    """

    def __init__(
        self,
        configuration_space: ConfigurationSpace,
        mutable: frozenset[str] = frozenset(),
        exploring: Mapping[str, Explore] | None = None,
        meanings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._parts = _Parts(configuration_space, mutable, exploring or {}, meanings or {})
        varying = [column.name for column in self.codec.columns]
        for name in sorted(mutable.difference(varying)):
            raise ConfigurationError(
                "mutable", f"names among {listing(varying)}", name, closest(name, varying)
            )

    _read: Callable[[], SearchSpace]

    @classmethod
    def deferred(cls, read: Callable[[], SearchSpace]) -> SearchSpace:
        """The space that ``read`` returns; it is called when this one is first asked for anything."""
        space = cls.__new__(cls)
        space._read = read
        return space

    @cached_property
    def _parts(self) -> _Parts:
        return self._read()._parts

    @property
    def configuration_space(self) -> ConfigurationSpace:
        """The parameters as ConfigSpace has them."""
        return self._parts.configuration_space

    @property
    def mutable(self) -> frozenset[str]:
        """Names of the parameters that may change while training runs."""
        return self._parts.mutable

    @property
    def exploring(self) -> Mapping[str, Explore]:
        """By name, how some of them change then."""
        return self._parts.exploring

    @property
    def meanings(self) -> Mapping[str, Mapping[str, Any]]:
        """By name, what the labels of its choices stand for; without those that stand for themselves."""
        return self._parts.meanings

    def meant(self, config: Config) -> dict[str, Any]:
        """``config`` as a workload takes it: with what labels stand for in their place.

        Everywhere else, from optimizers to tables, a choice goes by its label.
        """
        values: dict[str, Any] = dict(config)
        for name in self.meanings.keys() & values.keys():
            values[name] = deepcopy(self.meanings[name][values[name]])
        return values

    @cached_property
    def codec(self) -> Codec:
        """The mapping to arrays in the unit cube."""
        from search_spaces.codec import Codec

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
        from search_spaces.checking import check

        return check(self.configuration_space, self.codec, config, path)

    def value(self, name: str, value: object, key: str) -> Scalar:
        """``value`` as the parameter's own plain Python value.

        Raises:
            ConfigurationError: the parameter cannot take it; ``key`` is where it stands.
        """
        from search_spaces.domains import legal_value

        return legal_value(self.configuration_space[name], value, key)

    def ties(self) -> list[tuple[frozenset[str], str]]:
        """The parameters that each forbidden clause is about, and the clause in words."""
        from search_spaces.relations import tied

        return [(tied(clause), str(clause)) for clause in self.configuration_space.forbidden_clauses]

    def immutable_part(self, config: Config) -> Config:
        """The entries that cannot change while training runs."""
        return {name: value for name, value in config.items() if name not in self.mutable}
