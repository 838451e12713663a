"""Random search over schedules that fall along a cosine: what a population's own schedules compete with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from orchestrator.population.methods.contract import Choices
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.rules.contract import Floats
from orchestrator.population.trials import allowed, next_trials, trained
from search_spaces import ConfigurationError, SearchSpace
from search_spaces.reading import closest, listing


@dataclass(frozen=True)
class AnnealedSearch:
    """Each member trains one configuration drawn from the space, in which some parameters fall.

    They fall along half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983), once an interval, from what
    was drawn towards a share of it at the end of a member's life, but never below their range. Nothing is
    copied. A member that fails starts another configuration.

    Args:
        shares: for each parameter that falls, what is left of it in the end, above 0 and at most 1.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: {"learning_rate": 0.1})

    def __post_init__(self) -> None:
        if not self.shares:
            raise ConfigurationError("shares", "at least one parameter with its share", dict(self.shares))
        for name, share in self.shares.items():
            if not 0 < share <= 1:
                raise ConfigurationError(f"shares.{name}", "a number above 0, at most 1", share)

    def serves(self, setting: Setting) -> None:
        """Any study in whose space the parameters are mutable floats."""
        able = [
            column.name
            for column in setting.space.codec.columns
            if column.kind == "float" and column.mutable and column.low >= 0
        ]
        for name in self.shares:
            if name not in able:
                expected = f"mutable floats of the search space without negative values ({listing(able)})"
                raise ConfigurationError("shares", expected, name, closest(name, able))

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Go on one interval further down the cosine; start anew where training has failed."""
        latest = past.latest[arrived]
        so_far, failed = trained(past)[latest], past.failed[latest]
        choices = next_trials(arrived, past, failed, 1)
        began = np.array(
            [past.life(member)[-count] for member, count in zip(arrived, so_far, strict=True)], dtype=np.intp
        )
        left, space = so_far / past.setting.generations, past.setting.space
        fallen = self._fallen(past.units[began], left, space)
        choices.units[~failed] = allowed(fallen[~failed], choices.units[~failed], space, rng)
        return choices

    def _fallen(self, units: Floats, progress: Floats, space: SearchSpace) -> Floats:
        """Configurations ``(k, dim)`` after these shares of their training, ``(k,)``."""
        units, height = units.copy(), (1 + np.cos(np.pi * progress)) / 2
        for j, column in enumerate(space.codec.columns):
            if column.name in self.shares:
                share = self.shares[column.name]
                values = column.from_units(units[:, j]) * (share + (1 - share) * height)
                units[:, j] = column.to_units(np.maximum(values, column.low))
        return units
