"""PBT of several objectives by their sum: what methods for several objectives have to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.population.methods.ranked import RankedPbt
from orchestrator.population.past import Rows, Setting
from orchestrator.population.rules.contract import Floats
from search_spaces import ConfigurationError
from workloads.contract import Objective


@dataclass(frozen=True)
class ScalarisedPbt(RankedPbt):
    """MO-PBT with another ranking: by the sum of the losses, each scaled to [0, 1] within the population.

    Everything else is as in :class:`.mo_pbt.MoPbt`, so that a comparison with it shows what ranking by fronts
    is worth.
    """

    def serves(self, setting: Setting) -> None:
        """Any number of objectives without bounds, of at least two members."""
        if any(objective.bound is not None for objective in setting.objectives):
            hint = "a sum knows no bounds; population=mo_pbt honours them"
            raise ConfigurationError("", "a method that honours bounds", type(self).__name__, hint)
        super().serves(setting)

    def ranking(self, losses: Floats, _objectives: Sequence[Objective], rng: np.random.Generator) -> Rows:
        """All rows, best first; equal sums in random order."""
        low, extent = losses.min(axis=0), np.ptp(losses, axis=0)
        total = ((losses - low) / np.where(extent > 0, extent, 1.0)).sum(axis=1)
        shuffled = rng.permutation(len(losses))
        return np.asarray(shuffled[np.argsort(total[shuffled], kind="stable")], dtype=np.intp)
