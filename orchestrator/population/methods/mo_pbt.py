"""Multi-Objective Population Based Training (Dushatskiy et al., ICML 2023, arXiv 2306.01436)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.population.methods.ranked import RankedPbt
from orchestrator.population.past import Rows
from orchestrator.population.rules.contract import Floats
from orchestrator.population.rules.rankings import epsilon_net, penalised
from workloads.contract import Objective


@dataclass(frozen=True)
class MoPbt(RankedPbt):
    """MO-PBT: fronts, and inside a front whatever is farthest from all that is ranked.

    The ranking is :func:`~orchestrator.population.rules.rankings.epsilon_net`, after constraints as
    :func:`~orchestrator.population.rules.rankings.penalised` counts them. The paper's settings are the
    defaults here (quantile .25, resample .2, steps up to 3, ten values); its authors train 32 members for 50
    intervals of 2 epochs, asynchronously (github.com/ArkadiyD/MO-PBT). Differences: everybody is compared at
    equal age, ties are broken at random, failed members are replaced, and grids come from the search space.
    """

    def ranking(self, losses: Floats, objectives: Sequence[Objective], rng: np.random.Generator) -> Rows:
        """All rows, best first."""
        return epsilon_net(penalised(losses, objectives), rng)
