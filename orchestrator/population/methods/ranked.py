"""PBT by a ranking of the whole population, which several objectives and constraints may decide."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.population.comparison import compare
from orchestrator.population.grid import stepped, stratified
from orchestrator.population.methods.contract import Choices, require_mutable
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.rules.contract import NOBODY, Floats, Parents, is_number
from search_spaces import ConfigurationError
from workloads.contract import Objective


@dataclass(frozen=True)
class RankedPbt(ABC):
    """Members at the bottom of a ranking copy members at its top and move on a discrete grid.

    Each of the bottom ``ceil(quantile * n)``, at most ``n // 2``, copies one of as many at the top, drawn
    uniformly. Failed members rank last; they are always replaced and never copied.
    Each mutable hyperparameter of a copy is drawn afresh or moves along its grid
    (:func:`orchestrator.population.grid.stepped`). The first configurations are spread over the grids.

    Args:
        quantile: the share of the population at each end, above 0 and at most 0.5.
        resample: the probability that a hyperparameter is drawn afresh.
        furthest: the longest step along a grid, at least 1.
        grid: points of a float's grid, at least 2.
    """

    quantile: float = 0.25
    resample: float = 0.2
    furthest: int = 3
    grid: int = 10

    def __post_init__(self) -> None:
        if not (is_number(self.quantile) and 0 < self.quantile <= 0.5):
            raise ConfigurationError("quantile", "a share above 0 and at most 0.5", self.quantile)
        if not (is_number(self.resample) and 0 <= self.resample <= 1):
            raise ConfigurationError("resample", "a probability between 0 and 1", self.resample)
        for key, value, least in (("furthest", self.furthest, 1), ("grid", self.grid, 2)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigurationError(key, f"a whole number, at least {least}", value)

    @abstractmethod
    def ranking(self, losses: Floats, objectives: Sequence[Objective], rng: np.random.Generator) -> Rows:
        """All rows of losses ``(n, m)`` without NaN, best first, shape ``(n,)``."""

    def serves(self, setting: Setting) -> None:
        """Any number of objectives, with or without bounds, of at least two members."""
        if setting.size < 2:
            name = type(self).__name__
            raise ConfigurationError("population.size", f"at least 2 members for {name}", setting.size)
        require_mutable(setting, f"{type(self).__name__} moves what is mutable")

    def birth(self, setting: Setting, rng: np.random.Generator) -> Floats:
        """The first configurations, see :class:`.contract.BirthMethod`."""
        return stratified(setting.size, setting.space, rng, values=self.grid)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Rank all that have published; newcomers at the bottom copy."""
        now = compare(arrived, past)
        parents = self._parents(now.losses, past.setting.objectives, rng)[now.rows_of(arrived)]
        own, fresh = now.rows_of(arrived), parents == NOBODY
        kept = np.where(fresh, own, parents)
        units, copies = now.units[kept], kept != own
        if copies.any():
            units[copies] = stepped(
                units[copies],
                past.setting.space,
                rng,
                values=self.grid,
                resample=self.resample,
                furthest=self.furthest,
            )
        units[fresh] = np.nan
        return Choices.of(np.where(fresh, NOBODY, now.members[kept]), units)

    def _parents(self, losses: Floats, objectives: Sequence[Objective], rng: np.random.Generator) -> Parents:
        """Whom each copies, by rows of losses ``(n, m)``; itself where it goes on."""
        n, failed = len(losses), np.isnan(losses).any(axis=1)
        healthy = np.flatnonzero(~failed)
        if not len(healthy):
            return np.full(n, NOBODY)
        ranked = healthy[self.ranking(losses[healthy], objectives, rng)]
        # The product is rounded before ceil: 0.07 * 100 is 7.000000000000001 in floating point.
        ends = min(math.ceil(round(self.quantile * n, 9)), n // 2)
        top = ranked[: max(1, ends)]
        bottom = np.concatenate([ranked, np.flatnonzero(failed)])[n - ends :]
        parents = np.arange(n)
        replaced = np.union1d(bottom[~np.isin(bottom, top)], np.flatnonzero(failed))
        parents[replaced] = rng.choice(top, size=len(replaced))
        return parents
