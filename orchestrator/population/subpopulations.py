"""What methods with sub-populations share: how members rank, and who replaces one that has failed."""

from __future__ import annotations

import numpy as np

from orchestrator.population.past import Rows
from orchestrator.population.rules.contract import Floats, Parents
from orchestrator.population.rules.exploit import GOOD_SHARE, replace_failed


def ranking(losses: Floats, rng: np.random.Generator) -> Rows:
    """Rows from the best to the worst; equals in random order, the failed (NaN) last.

    Args:
        losses: shape ``(n,)``, minimised.
        rng: source of randomness.
    """
    shuffled = rng.permutation(len(losses))
    return shuffled[np.argsort(losses[shuffled], kind="stable")]


def rescued(
    parents: Parents, losses: Floats, groups: Rows, ranked: Rows, rng: np.random.Generator
) -> Parents:
    """Parents that are all healthy; a failed member without one gets it from its own sub-population.

    It is drawn from the best quarter of the healthy members there. Where nobody is healthy there, it comes
    from the best quarter of the whole population
    (:func:`~orchestrator.population.rules.exploit.replace_failed`).

    Args:
        parents: as a method chose them, shape ``(n,)``.
        losses: latest losses, NaN for failed members, shape ``(n,)``.
        groups: by member, its sub-population, shape ``(n,)``.
        ranked: rows from the best to the worst, shape ``(n,)``.
        rng: source of randomness.
    """
    failed = np.isnan(losses)
    chosen = parents.copy()
    for row in np.flatnonzero(failed & failed[parents]):
        peers = ranked[(groups[ranked] == groups[row]) & ~failed[ranked]]
        if len(peers):
            chosen[row] = rng.choice(peers[: max(1, int(GOOD_SHARE * len(peers)))])
    return replace_failed(chosen, losses[:, None], rng)
