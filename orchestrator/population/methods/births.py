"""First hyperparameters, picked out of more configurations than a population has members."""

from __future__ import annotations

import numpy as np

from orchestrator.population.methods.contract import Choices
from orchestrator.population.past import Past, Rows
from orchestrator.population.rules.contract import NOBODY


def picked(births: int, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
    """How members go on that have trained at most ``births`` intervals, each with new weights.

    Until then each begins anew with a drawn configuration. Then as many configurations as the population has
    members are picked, those with the best losses of all that are known: members whose last one is among them
    go on with it, the others begin anew with the rest.

    Args:
        births: intervals.
        arrived: the newcomers, shape ``(k,)``.
        past: the population's past.
        rng: source of randomness.
    """
    latest = past.latest[arrived]
    tried = np.flatnonzero((past.generation <= births) & ~past.failed)
    best = tried[np.argsort(past.losses[tried, 0], kind="stable")][: past.setting.size]
    over = past.generation[latest] == births
    keep = over & np.isin(latest, best)
    units = np.full((len(arrived), past.units.shape[1]), np.nan)
    units[keep] = past.units[latest[keep]]
    left, anew = np.setdiff1d(best, past.latest), over & ~keep
    if len(left):
        units[anew] = past.units[np.resize(rng.permutation(left), int(anew.sum()))]
    return Choices.of(np.where(keep, arrived, NOBODY), units)
