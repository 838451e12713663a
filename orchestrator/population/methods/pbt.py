"""Population Based Training (Jaderberg et al. 2017, arXiv 1711.09846): exploit, then explore."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.comparison import Comparison, compare
from orchestrator.population.methods.contract import Choices, going_on, refuse_constraints, require_mutable
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.proposals import inherited
from orchestrator.population.rules.contract import ExploitRule, ExploreRule, Floats, Mask, Parents, is_number
from orchestrator.population.rules.exploit import choose_parents
from orchestrator.population.rules.explore import NoExplore, explore
from search_spaces import ConfigurationError


@dataclass(frozen=True)
class Pbt:
    """Members that the exploit rule replaces take a better one's weights; the explore rule changes them.

    Burn-in and margin are not the paper's. A burn-in spares members whose result says little yet (Ray Tune
    has one from birth, Isaac Lab one after each replacement; this is both). The margin is Isaac Lab's
    (``mean ± threshold * std`` of the population): near-equal members are not copied for noise's sake.

    Args:
        exploit: says who copies whom.
        explore: changes the hyperparameters of those who copied.
        inherit_hyperparameters: False: a copy takes the weights and what is fixed at birth, and keeps its own
            mutable hyperparameters (an ablation of the paper).
        burn_in: intervals that a member trains after its birth, and after taking another's weights, before a
            healthy one is replaced.
        margin: by how many standard deviations of the population a healthy member must be worse than its
            mean, and its parent better, to be replaced; None: the exploit rule alone decides.
    """

    exploit: ExploitRule
    explore: ExploreRule
    inherit_hyperparameters: bool = True
    burn_in: int = 0
    margin: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.burn_in, bool) or not isinstance(self.burn_in, int) or self.burn_in < 0:
            raise ConfigurationError("burn_in", "a whole number of intervals, at least 0", self.burn_in)
        if self.margin is not None and not (is_number(self.margin) and self.margin >= 0):
            raise ConfigurationError("margin", "null or standard deviations, at least 0", self.margin)

    def serves(self, setting: Setting) -> None:
        """Studies that the exploit rule serves, without constraints."""
        try:
            self.exploit.serves(len(setting.objectives), setting.size)
        except ConfigurationError as error:
            raise error.within("exploit") from error
        if self.margin is not None and len(setting.objectives) > 1:
            raise ConfigurationError("margin", "null with several objectives", self.margin)
        refuse_constraints(setting, "PBT")
        if not isinstance(self.explore, NoExplore):
            require_mutable(setting, "or choose population/explore=none")

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Apply both rules to the newcomers among all that have published."""
        now = compare(arrived, past, max(self.exploit.window, self.explore.window))
        own = np.arange(len(now.members))
        parents = np.where(now.arrived, choose_parents(self.exploit, now.losses, now.evaluations, rng), own)
        parents = self._spared(parents, now, past)
        kept = np.where(parents < 0, own, parents)
        space = past.setting.space
        units = inherited(now.units, now.units[kept], space, mutable=self.inherit_hyperparameters)
        units = explore(self.explore, units, kept, now.evaluations, space, rng)
        return going_on(now, arrived, parents, units)

    def _spared(self, parents: Parents, now: Comparison, past: Past) -> Parents:
        """Parents after burn-in and margin, which only those of healthy members know."""
        spared = np.zeros(len(parents), dtype=bool)
        if self.burn_in:
            spared |= _intervals_on_own_weights(now.members, past, self.burn_in) <= self.burn_in
        if self.margin is not None:
            spared |= ~_clearly_worse(now.losses[:, 0], parents, self.margin)
        healthy = ~np.isnan(now.losses).any(axis=1)
        return np.where(spared & healthy, np.arange(len(parents)), parents)


def _intervals_on_own_weights(members: Rows, past: Past, most: int) -> Rows:
    """Intervals that each member has trained since its birth or its last copy, at most ``most + 1``."""
    rows = past.latest[members]
    counts = np.ones(len(members), dtype=np.intp)
    going = np.ones(len(members), dtype=bool)
    for _ in range(most):
        before = past.origin[rows]
        going &= (before >= 0) & (past.member[before] == members)
        counts += going
        rows = np.where(going, before, rows)
    return counts


def _clearly_worse(losses: Floats, parents: Parents, margin: float) -> Mask:
    """Whether each is worse than the mean by the margin, and its parent better, of losses ``(n,)``."""
    if np.isnan(losses).all():
        return np.ones(len(losses), dtype=bool)
    mean, spread = np.nanmean(losses), np.nanstd(losses)
    worse, better = losses > mean + margin * spread, losses[parents] < mean - margin * spread
    return worse & better
