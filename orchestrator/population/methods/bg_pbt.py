"""BG-PBT (Wan et al. 2022, arXiv 2207.09405) without its architecture search: PB2 in a trust region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.stats import norm, rankdata

from orchestrator.population.methods.births import picked
from orchestrator.population.methods.contract import Choices, require_mutable, require_objectives
from orchestrator.population.methods.improvements import (
    CATEGORIES,
    NUMBERS,
    Configurations,
    Context,
    Improvements,
    mutable_columns,
)
from orchestrator.population.methods.pb2 import Replaced, replace_worst, require_pair
from orchestrator.population.methods.pb2_mix import arms_of
from orchestrator.population.methods.trust_region import Region, trust_regions
from orchestrator.population.past import NOTHING, Past, Rows, Setting
from orchestrator.population.rules.contract import Floats
from orchestrator.population.rules.exploit import Truncation
from search_spaces import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.population.methods.surrogate import Surrogate

CAUTION = 3.0
"""Deviations that a mean is raised by: the authors' lower confidence bound of a cost."""

TRIED = 64
"""Random points in the region at which categories are compared, and draws from the prior after a restart."""


@dataclass(frozen=True)
class BgPbt:
    """The worst members copy the best and stay near their hyperparameters, as near as has paid of late.

    A Gaussian process that forgets predicts the gain per training step, by its rank among all gains (a
    copula). A new configuration maximises ``mean + 3 * deviation`` in a box round the parent's numbers
    (:mod:`~orchestrator.population.methods.trust_region`), after the best of the parent's categories and all
    single changes of them was chosen. A region that no longer pays is given up: a process of the best
    configuration of each earlier one then chooses among draws from the prior, by ``mean + 1.96 * deviation``,
    until as many intervals as there are members have told their gains.

    Unlike the authors' code (github xingchenwan/bgpbt): no architectures and no distillation; where theirs
    picks 8 of 24 configurations after an interval of each, here every member trains its share of them one
    after another, and of those that are picked only members' last ones still have their weights
    (:func:`~orchestrator.population.methods.births.picked`); weights come from the best members of today, not
    of all time; the kernel is PB2's, or PB2-Mix's where categories are mutable; the search climbs by L-BFGS;
    categories have no region of their own.

    Args:
        quantile: the share of the population that is replaced, and that it copies from.
        patience: rounds without a new best loss after which a region is given up.
        births: configurations that each member begins with, one after another for an interval; the best ones
            of all are picked. 1: members go on with what they are born with.
    """

    quantile: float = 0.125
    patience: int = 15
    births: int = 1
    thinks: ClassVar[bool] = True

    def __post_init__(self) -> None:
        Truncation(self.quantile)
        if isinstance(self.births, bool) or not isinstance(self.births, int) or self.births < 1:
            raise ConfigurationError("births", "a whole number of at least 1", self.births)

    def serves(self, setting: Setting) -> None:
        """Studies of one objective, two members at least and a mutable parameter."""
        require_objectives(setting, 1, "BG-PBT")
        require_pair(setting, "BG-PBT")
        require_mutable(setting, "BG-PBT changes mutable parameters alone")
        if self.births >= setting.generations > 1:
            expected = f"fewer than population.generations, {setting.generations}"
            raise ConfigurationError("births", expected, self.births)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Replace the worst newcomers by the best members, each with a configuration of its own."""
        if self.births == 1:
            return self._replace(arrived, past, rng)
        choices = Choices.of(arrived.copy(), past.units[past.latest[arrived]].copy())
        young = past.generation[past.latest[arrived]] <= self.births
        if young.any():
            choices.fill(np.flatnonzero(young), picked(self.births, arrived[young], past, rng))
        if not young.all():
            choices.fill(np.flatnonzero(~young), self._replace(arrived[~young], past, rng))
        return choices

    def _replace(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        def propose(replaced: Replaced) -> Floats:
            regions, seen = self._regions(past), Improvements.of(past)
            inner = seen[seen.rounds >= regions[-1].first]
            if len(inner) >= past.setting.size:
                return _near(inner, replaced, regions[-1].length, past, rng)
            return _restarted(regions[:-1], seen, replaced, past, rng)

        return replace_worst(self.quantile, arrived, past, rng, propose)

    def _regions(self, past: Past) -> list[Region]:
        origin = past.origin
        proposed = (origin != NOTHING) & (past.member[origin] != past.member)
        return trust_regions(past.generation, past.losses[:, 0], proposed, self.patience)


def copula(gains: Floats) -> Floats:
    """Gains as normal quantiles of their ranks, equal ones alike, failed ones (NaN) last, shape ``(n,)``."""
    ranks = rankdata(np.nan_to_num(gains, nan=-np.inf), method="max")
    return np.asarray(norm.ppf(ranks / (len(gains) + 1)))


def neighbours(chosen: Floats, arms: Rows) -> Floats:
    """Categories ``(c,)`` and all that differ from them in one parameter, shape ``(options, c)``."""
    options = [chosen]
    for column, size in enumerate(arms):
        for other in set(range(int(size))) - {int(chosen[column])} if chosen[column] >= 0 else ():
            options.append(chosen.copy())
            options[-1][column] = other
    return np.array(options)


def _near(
    seen: Improvements, replaced: Replaced, length: float, past: Past, rng: np.random.Generator
) -> Floats:
    """Units for members that are replaced, near those of their parents, shape ``(k, dim)``."""
    from orchestrator.population.methods.kernels import TimeVarying, TimeVaryingMixed
    from orchestrator.population.methods.surrogate import Surrogate

    space, arms = past.setting.space, arms_of(past)
    known, parents = (Configurations.of(units, space) for units in (past.units[seen.rows], replaced.units))
    kernel = TimeVaryingMixed() if len(arms) else TimeVarying()
    surrogate = Surrogate.fit(kernel, seen, known, replaced.before, copula(seen.gains))
    running = Configurations.of(replaced.running, space)
    for row, context in enumerate(replaced.contexts):
        options = neighbours(parents.categories[row], arms)
        numbers, chosen = _best_near(surrogate, context, parents.numbers[row], options, length, running, rng)
        running = running.joined(numbers, chosen)
    proposals = replaced.units.copy()
    proposals[:, mutable_columns(space, NUMBERS)] = running.numbers[-len(replaced.members) :]
    whole = running.categories[-len(replaced.members) :]
    proposals[:, mutable_columns(space, CATEGORIES)] = np.where(whole < 0, np.nan, (whole + 0.5) / arms)
    return proposals


def _best_near(
    surrogate: Surrogate,
    context: Context,
    centre: Floats,
    options: Floats,
    length: float,
    running: Configurations,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """The best numbers in a box round a centre ``(d,)`` and the best categories among options."""
    import torch

    from orchestrator.population.methods.gaussian import maximise
    from orchestrator.population.methods.surrogate import RESTARTS

    crowded = surrogate.crowded(context, running)
    low, high = np.maximum(centre - length / 2, 0.0), np.minimum(centre + length / 2, 1.0)
    tried = low + (high - low) * rng.random((TRIED, len(centre)))

    def worth(points: torch.Tensor, option: Floats) -> torch.Tensor:
        inputs = surrogate.inputs(context, points, np.tile(option, (len(points), 1)))
        mean, variance = crowded(inputs)
        # The root of 0 has no gradient.
        return mean + CAUTION * (variance + 1e-12).sqrt()

    with torch.no_grad():
        heights = [worth(torch.from_numpy(tried), option).max().item() for option in options]
    chosen = options[int(np.argmax(heights))]
    if not len(centre):
        return centre, chosen
    return maximise(lambda points: worth(points, chosen), tried[:RESTARTS], low, high), chosen


def _restarted(
    earlier: Sequence[Region], seen: Improvements, replaced: Replaced, past: Past, rng: np.random.Generator
) -> Floats:
    """Units for members that are replaced while a region is new, shape ``(k, dim)``."""
    space, count = past.setting.space, len(replaced.members)
    mutable = past.setting.space.codec.mutable
    drawn = np.where(mutable, space.sample_units(TRIED, rng), np.nan)
    ends = [*(region.first for region in earlier[1:]), np.inf]
    best = []
    for region, end in zip(earlier, ends, strict=True) if earlier else ():
        inner = seen[(seen.rounds >= region.first) & (seen.rounds < end) & ~np.isnan(seen.gains)]
        if len(inner):
            best.append((int(inner.rows[np.argmax(inner.gains)]), float(inner.gains.max())))
    chosen = np.arange(count) if not best else _promising(drawn, best, past)[:count]
    return np.where(mutable, drawn[np.resize(chosen, count)], replaced.units)


def _promising(drawn: Floats, best: Sequence[tuple[int, float]], past: Past) -> Rows:
    """Draws ``(n, dim)`` from the most promising, by the best rows of earlier regions and their gains."""
    import torch

    from orchestrator.population.methods.gaussian import GaussianProcess
    from orchestrator.population.methods.kernels import Inputs, TimeVarying, TimeVaryingMixed

    space, rows = past.setting.space, np.array([row for row, _ in best])
    gains = np.array([gain for _, gain in best])
    known, asked = Configurations.of(past.units[rows], space), Configurations.of(drawn, space)
    kernel = TimeVaryingMixed() if known.categories.shape[1] else TimeVarying()
    rounds = past.generation[rows]
    inputs = Inputs.of(rounds, known.numbers, known.categories)
    process = GaussianProcess.fit(kernel, inputs, (gains - gains.mean()) / (gains.std() + 1e-8))
    with torch.no_grad():
        now = np.full(len(drawn), past.generation.max())
        mean, variance = process(Inputs.of(now, asked.numbers, asked.categories))
    return np.argsort(-(mean + 1.96 * variance.sqrt()).numpy(), kind="stable")
