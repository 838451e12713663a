"""PBT by hypervolume contribution: our own rule for several objectives, to compare MO-PBT with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.population.methods.ranked import RankedPbt
from orchestrator.population.past import Rows, Setting
from orchestrator.population.rules.contract import Floats
from orchestrator.population.rules.rankings import contribution_order
from search_spaces import ConfigurationError
from workloads.contract import Objective

MOST_OBJECTIVES = 3
"""Contributions to a front of 1,000 members take milliseconds; with four objectives, two seconds."""


@dataclass(frozen=True)
class HypervolumePbt(RankedPbt):
    """MO-PBT with another ranking: inside a front, whoever adds the most hypervolume comes first.

    Unlike distances, the order does not depend on the objectives' units, and it favours good trade-offs over
    distant ones. Everything else is as in :class:`.mo_pbt.MoPbt`; constraints count as in NSGA-II. See
    :func:`~orchestrator.population.rules.rankings.contribution_order`.
    """

    def serves(self, setting: Setting) -> None:
        """Up to three objectives, with or without bounds, of at least two members."""
        if len(setting.objectives) > MOST_OBJECTIVES:
            name = type(self).__name__
            expected = f"a method that can rank {len(setting.objectives)} objectives"
            hint = f"it ranks at most {MOST_OBJECTIVES}; population=mo_pbt ranks any number"
            raise ConfigurationError("", expected, name, hint)
        super().serves(setting)

    def ranking(self, losses: Floats, objectives: Sequence[Objective], rng: np.random.Generator) -> Rows:
        """All rows, best first."""
        return contribution_order(losses, objectives, rng)
