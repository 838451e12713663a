"""PBT-NAS: members whose models are mixed out of two others, block by block.

Chebykin, Dushatskiy, Alderliesten and Bosman 2023, "Shrink-Perturb Improves Architecture Mixing During
Population Based Training for Neural Architecture Search", arXiv 2307.15621; the rules are those of their
code, github.com/AwesomeLemon/PBT-NAS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from orchestrator.population.comparison import Comparison, compare
from orchestrator.population.grid import stratified
from orchestrator.population.methods.contract import Choices, require_objectives
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.rules.contract import (
    NOBODY,
    ExploreRule,
    Floats,
    Mask,
    Parents,
    is_number,
    same_rows,
)
from orchestrator.population.rules.explore import explore
from search_spaces import ConfigurationError, SearchSpace
from search_spaces.reading import Nothing

GRID = 10
"""Values of a float over which the first configurations are spread."""


@dataclass(frozen=True)
class PbtNas:
    """The bottom of the ranking is replaced by mixtures of two members at its top.

    Two different parents are drawn uniformly from the best ``quantile`` of the population. The copy takes the
    better one's weights; each block comes with probability ``swap`` from the other one, architecture and
    weights, and is then shrunk and perturbed. The first architectures are spread evenly over the choices.

    Differences from the authors' code: what normalisation layers have measured is forgotten in perturbed
    blocks, where theirs mixes it with new values; blocks bring along what the optimizer remembers of them,
    where theirs keeps as much of the better parent's optimizer as fits. Asynchronous studies, failed members
    and hyperparameters that change in training are ours: the copy has the better parent's, changed by the
    explore rule. Where two parents cannot be mixed, since they differ in what is fixed at birth outside of
    blocks or their mixture breaks a condition or a forbidden clause, the better one is copied whole.

    Args:
        explore: changes the mutable hyperparameters of those who copied; the paper has none.
        quantile: the share of the population at each end, above 0 and at most 0.5.
        swap: the probability that a block comes from the second parent.
        keep: what is left of the weights of such blocks, 0 to 1.
        noise: the share of new weights that is added to them, at least 0.
    """

    explore: ExploreRule
    quantile: float = 0.25
    swap: float = 0.25
    keep: float = 0.4
    noise: float = 0.1
    crosses = True

    def __post_init__(self) -> None:
        if not (is_number(self.quantile) and 0 < self.quantile <= 0.5):
            raise ConfigurationError("quantile", "a share above 0 and at most 0.5", self.quantile)
        for key, value in (("swap", self.swap), ("keep", self.keep)):
            if not (is_number(value) and 0 <= value <= 1):
                raise ConfigurationError(key, "a number between 0 and 1", value)
        if not (is_number(self.noise) and self.noise >= 0):
            raise ConfigurationError("noise", "a number of at least 0", self.noise)

    def serves(self, setting: Setting) -> None:
        """Studies of one objective and of models with blocks, with two parents at the top."""
        require_objectives(setting, 1, "PBT-NAS")
        if not setting.blocks:
            hint = "population=pbt copies whole models; +study=pbt_nas_digits shows a workload with blocks"
            raise ConfigurationError("", "a workload whose models have blocks", Nothing(), hint)
        if self._ends(setting.size) < 2:
            least = max(4, math.ceil(round(2 / self.quantile, 9)))
            hint = "two parents are drawn from the top quantile"
            raise ConfigurationError("population.size", f"at least {least} members", setting.size, hint)

    def birth(self, setting: Setting, rng: np.random.Generator) -> Floats:
        """The first configurations, see :class:`.contract.BirthMethod`."""
        return stratified(setting.size, setting.space, rng, values=GRID)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Rank all that have published; newcomers at the bottom are replaced."""
        setting, now = past.setting, compare(arrived, past, self.explore.window)
        n, own = len(now.members), np.arange(len(now.members))
        parents, seconds = self._parents(now, rng)
        blocks = rng.random((n, len(setting.blocks))) < self.swap
        kept = np.where(parents == NOBODY, own, parents)
        units = now.units[kept].copy()
        mixed = np.flatnonzero((seconds != NOBODY) & blocks.any(axis=1))
        mixtures, possible = _mixed(now.units, kept[mixed], seconds[mixed], blocks[mixed], setting, rng)
        units[mixed[possible]] = mixtures[possible]
        crossed = np.zeros(n, dtype=bool)
        crossed[mixed[possible]] = True
        units = explore(self.explore, units, kept, now.evaluations, setting.space, rng)
        rows = now.rows_of(arrived)
        fresh, crossed = (parents == NOBODY)[rows], crossed[rows]
        return Choices.of(
            np.where(fresh, NOBODY, now.members[kept[rows]]),
            np.where(fresh[:, None], np.nan, units[rows]),
            keep=np.where(crossed, self.keep, 1.0),
            noise=np.where(crossed, self.noise, 0.0),
            seconds=np.where(crossed, now.members[seconds[rows]], NOBODY),
            blocks=blocks[rows] & crossed[:, None],
        )

    def _ends(self, n: int) -> int:
        """Members at each end of the ranking of ``n``, as many as the authors' code takes."""
        return min(int(round(self.quantile * n, 9)), n // 2)

    def _parents(self, now: Comparison, rng: np.random.Generator) -> tuple[Parents, Parents]:
        """Rows of everybody's first and second parents; who is not replaced is its own parent."""
        n, losses = len(now.members), now.losses[:, 0]
        healthy = ~np.isnan(losses)
        parents, seconds = np.arange(n), np.full(n, NOBODY)
        if not healthy.any():
            return np.full(n, NOBODY), seconds
        # Equal losses rank in random order, failed members last.
        shuffled = rng.permutation(n)
        ranking = shuffled[np.argsort(np.where(healthy, losses, np.inf)[shuffled], kind="stable")]
        ends = self._ends(n)
        top = ranking[: max(1, min(ends, int(healthy.sum())))]
        bottom = np.zeros(n, dtype=bool)
        bottom[ranking[n - ends :]] = True
        bottom[top] = False
        for row in np.flatnonzero((bottom | ~healthy) & now.arrived):
            # In the order of the ranking, so the better one is the first parent.
            pair = np.sort(rng.choice(len(top), size=min(2, len(top)), replace=False))
            parents[row] = top[pair[0]]
            seconds[row] = top[pair[-1]] if len(pair) == 2 else NOBODY
        return parents, seconds


def _mixed(
    units: Floats,
    firsts: Rows,
    seconds: Rows,
    blocks: Mask,
    setting: Setting,
    rng: np.random.Generator,
) -> tuple[Floats, Mask]:
    """Configurations mixed out of two, and which of them are possible.

    Args:
        units: everybody's, in unit coordinates, shape ``(n, dim)``.
        firsts: rows whose configurations are the base, shape ``(k,)``.
        seconds: rows that the blocks come from, shape ``(k,)``.
        blocks: which blocks those are, shape ``(k, b)``.
        setting: the study.
        rng: draws mutable hyperparameters that a mixture makes active.

    Returns:
        Unit coordinates, shape ``(k, dim)``, and whether each is possible, shape ``(k,)``.
    """
    space = setting.space
    membership = _columns_of_blocks(space, setting)
    base, other = units[firsts], units[seconds]
    mixture = np.where((blocks.astype(int) @ membership.astype(int)) > 0, other, base)
    outside = ~space.codec.mutable & ~membership.any(axis=0)
    alike = same_rows(base[:, outside], other[:, outside])
    repaired, fixed = space.codec.repair(mixture, rng), ~space.codec.mutable
    possible = alike & same_rows(repaired[:, fixed], mixture[:, fixed]) & space.codec.legal(repaired)
    return repaired, possible


def _columns_of_blocks(space: SearchSpace, setting: Setting) -> Mask:
    """Which columns build which block, shape ``(b, dim)``."""
    names = [column.name for column in space.codec.columns]
    return np.array([[name in parameters for name in names] for parameters in setting.blocks.values()])
