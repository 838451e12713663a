"""The Pareto set of all that a population has published, as it grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from orchestrator import pareto
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.rules.contract import Floats
from orchestrator.population.rules.rankings import violations
from workloads.contract import Objective


def grown(front: Floats, losses: Floats, objectives: Sequence[Objective]) -> Floats:
    """A Pareto set's losses ``(k, m)`` after further publications ``(n, m)``, each of them once.

    Failed publications (NaN) and those that violate a bound never join.
    """
    both = np.concatenate([front, losses])
    return np.unique(both[pareto.nondominated(both, violations(both, objectives))], axis=0)


def fronts(history: PopulationHistory) -> Iterator[Floats]:
    """The losses of the Pareto set up to each completed generation, each ``(k, m)``."""
    front = np.empty((0, len(history.start.objectives)))
    for generation in range(1, history.generation + 1):
        front = grown(front, history.losses(generation), history.start.objectives)
        yield front
