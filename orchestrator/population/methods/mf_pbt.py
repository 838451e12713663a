"""Multiple-Frequencies PBT (arXiv 2506.03225): sub-populations that evolve at different paces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.population.comparison import Comparison, compare
from orchestrator.population.methods.contract import Choices, going_on, require_mutable, require_objectives
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.proposals import inherited, inside
from orchestrator.population.rules.contract import Floats, Mask, Parents
from orchestrator.population.rules.explore import Perturb, explore
from orchestrator.population.subpopulations import ranking, rescued
from search_spaces import ConfigurationError

FEWEST = 4
"""Members of a sub-population, so that each quarter holds one."""


@dataclass(frozen=True)
class MfPbt:
    """Equal sub-populations, each of which evolves after its own number of intervals.

    PBT is greedy: it prefers what pays off before the next comparison. A sub-population that is compared
    seldom is not, and the fast ones take over what it finds. When a sub-population evolves, its quarters go
    on as follows (:mod:`hpo.utils.mf_pbt_genetics` of the authors' repository WaelDLZ/MF-PBT):

    - The worst quarter copies its own best quarter, rank by rank, and explores.
    - The third quarter takes the weights of the best members of all other sub-populations, as far as they
      are better. With weights from a slower sub-population come their hyperparameters. With weights from a
      faster one come those of the best member at home, so that greedy hyperparameters do not spread.
    - The others go on unchanged.

    Differs from the authors' code in that equal losses rank in random order, that sub-populations need not
    be multiples of 4 (quarters are rounded down), and that a member that fails is replaced at once from its
    own best quarter. In an asynchronous study a member evolves alone, among what the others have published.

    Args:
        periods: by sub-population, the intervals between two evolutions (the paper's 1, 10, 25 and 50).
            Members are split among them in the order of their numbers.
        factors: what exploring multiplies hyperparameters by.
    """

    periods: Sequence[int] = (1, 10, 25, 50)
    factors: Sequence[float] = (0.8, 1.25)

    def __post_init__(self) -> None:
        periods = list(self.periods) if isinstance(self.periods, Sequence) else []
        if len(periods) < 2 or not all(type(period) is int and period >= 1 for period in periods):
            expected = "a list of at least two numbers of intervals, each at least 1"
            raise ConfigurationError("periods", expected, periods or self.periods)
        object.__setattr__(self, "periods", tuple(periods))
        Perturb(self.factors)
        object.__setattr__(self, "factors", tuple(self.factors))

    def serves(self, setting: Setting) -> None:
        """Studies of one objective without constraints whose members divide among the sub-populations."""
        require_objectives(setting, 1, "MF-PBT")
        require_mutable(setting, "MF-PBT changes hyperparameters while members train")
        groups = len(self.periods)
        if setting.size % groups or setting.size < groups * FEWEST:
            expected = f"a multiple of {groups}, at least {groups * FEWEST}"
            hint = f"{groups} equal sub-populations, one for each of population.method.periods"
            raise ConfigurationError("population.size", expected, setting.size, hint)
        if max(self.periods) >= setting.generations:
            expected = f"periods below population.generations ({setting.generations})"
            hint = "a sub-population with a longer one would never evolve"
            raise ConfigurationError("periods", expected, list(self.periods), hint)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Evolve the newcomers whose sub-population's turn it is, and replace those that have failed."""
        now = compare(arrived, past)
        losses, own = now.losses[:, 0], np.arange(len(now.members))
        groups = now.members // (past.setting.size // len(self.periods))
        pace = np.array(self.periods)[groups]
        generation = past.generation[past.latest[now.members]]
        ranked = ranking(losses, rng)
        parents, donors = self._evolved(losses, groups, now.arrived & (generation % pace == 0), ranked)
        chosen = np.where(now.arrived, rescued(parents, losses, groups, ranked, rng), own)
        kept = np.where(chosen < 0, own, chosen)
        units = self._units(now, kept, np.where(chosen == parents, donors, kept), groups, past.setting, rng)
        return going_on(now, arrived, chosen, units, wait=pace - generation % pace)

    def _evolved(self, losses: Floats, groups: Rows, evolving: Mask, ranked: Rows) -> tuple[Parents, Parents]:
        """Whose weights and whose hyperparameters members go on with, shapes ``(n,)``."""
        parents, donors = np.arange(len(losses)), np.arange(len(losses))
        losses = np.where(np.isnan(losses), np.inf, losses)
        for group in np.unique(groups[evolving]):
            home, abroad = ranked[groups[ranked] == group], ranked[groups[ranked] != group]
            quarter = len(home) // 4
            if not quarter:
                continue
            parents[home[-quarter:]] = donors[home[-quarter:]] = home[:quarter]
            for row in home[-2 * quarter : -quarter]:
                if len(abroad) and losses[abroad[0]] < losses[row]:
                    parents[row], abroad = abroad[0], abroad[1:]
                    donors[row] = self._donor(row, parents[row], home[0], groups)
        keeping = ~evolving
        parents[keeping] = donors[keeping] = np.flatnonzero(keeping)
        return parents, donors

    def _donor(self, row: int, migrant: int, best: int, groups: Rows) -> int:
        """Whose hyperparameters a member takes with the weights of a migrant."""
        here, there = self.periods[groups[row]], self.periods[groups[migrant]]
        if here == there:
            return row
        return migrant if here < there else best

    def _units(
        self,
        now: Comparison,
        parents: Parents,
        donors: Parents,
        groups: Rows,
        setting: Setting,
        rng: np.random.Generator,
    ) -> Floats:
        """Hyperparameters to go on with, shape ``(n, dim)``: those of donors, explored by copies at home."""
        space, own = setting.space, np.arange(len(parents))
        units = inherited(now.units[donors], now.units[parents], space, mutable=False)
        migrated = groups[parents] != groups
        if migrated.any():
            units[migrated], _ = inside(units[migrated], now.units[parents[migrated]], space, rng)
        copying = np.where(migrated, own, parents)
        return explore(Perturb(self.factors, 0.0), units, copying, now.evaluations, space, rng)
