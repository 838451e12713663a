"""Hyperparameters for a restart, from how those of earlier phases did: a Gaussian process over phases."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from orchestrator.population.methods.phases import Phases
from orchestrator.population.rules.contract import Floats
from search_spaces import SearchSpace

CANDIDATES = 512
"""Draws from the search space out of which new hyperparameters are chosen."""

ROUNDS = 16
"""Most rounds in which those of many members are chosen, each with the earlier rounds' choices fantasised."""

OPTIMISM = 1.96
"""Standard deviations that uncertainty counts for, as in the authors' code."""


def reinitialised(phases: Phases, phase: int, count: int, rng: np.random.Generator) -> Floats | None:
    """Hyperparameters to begin a phase with, shape ``(count, dim)``; None where nothing is known yet.

    The target of each start is the rank, within its phase, of the best loss that its descendants reached
    there, as a normal score; the process forgets from phase to phase
    (:class:`~orchestrator.population.methods.kernels.TimeVarying`), since longer steps favour others.
    The authors (github AwesomeLemon/IPBT) standardise gains over all phases and climb inside a trust region
    around the best start. Here the candidates with the highest upper confidence bound are taken out of draws
    from the space, so that conditions, categories and forbidden clauses need no care.

    Args:
        phases: those of the past.
        phase: the one that begins.
        count: members that begin it so.
        rng: source of randomness.
    """
    past = phases.past
    roots = phases.roots()
    best = np.full(len(past), np.inf)
    np.fmin.at(best, roots, past.losses[:, 0])
    starts = np.flatnonzero(np.isfinite(best))
    starts = starts[np.lexsort((past.member[starts], past.generation[starts], phases.of_row[starts]))]
    if not len(starts) or not count:
        return None
    from orchestrator.population.methods.gaussian import GaussianProcess
    from orchestrator.population.methods.kernels import Inputs, TimeVarying

    space, when = past.setting.space, phases.of_row[starts]
    process = GaussianProcess.fit(
        TimeVarying(), Inputs.of(when, points(past.units[starts], space)), scores(best[starts], when)
    )
    candidates = space.sample_units(max(CANDIDATES, 2 * count), rng)
    left = Inputs.of(np.full(len(candidates), phase), points(candidates, space))
    means, _ = process(left)
    chosen: list[int] = []
    for part in np.array_split(np.arange(count), min(count, ROUNDS)):
        _, variances = process(left)
        bound = (means + OPTIMISM * variances.sqrt()).numpy()
        bound[chosen] = -np.inf
        new = np.argsort(-bound, kind="stable")[: len(part)]
        chosen.extend(new.tolist())
        process = process.with_fantasies(Inputs(left.times[new], left.points[new], left.choices[new]))
    return candidates[chosen]


def scores(losses: Floats, groups: np.ndarray) -> Floats:
    """Normal scores of ranks within groups, larger is better, shape ``(n,)``."""
    found = np.empty(len(losses))
    for group in np.unique(groups):
        own = groups == group
        found[own] = ndtri((rankdata(-losses[own]) - 0.5) / own.sum())
    return found


def points(units: Floats, space: SearchSpace) -> Floats:
    """Mutable hyperparameters as points: numbers as they are, a category as one coordinate for each choice.

    Different categories are 1 apart; what is inactive lies in the middle.

    Args:
        units: unit coordinates, shape ``(n, dim)``.
        space: the search space.
    """
    parts = []
    for number, column in enumerate(space.codec.columns):
        if not column.mutable:
            continue
        own = units[:, number]
        if column.kind == "categorical":
            choice = np.floor(np.clip(own, 0.0, np.nextafter(1.0, 0.0)) * column.size)
            parts.append((choice[:, None] == np.arange(column.size)) * np.sqrt(0.5))
        else:
            parts.append(np.where(np.isnan(own), 0.5, own)[:, None])
    return np.concatenate(parts, axis=1)
