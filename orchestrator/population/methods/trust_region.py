"""How far from its parent's hyperparameters a copy may go (TuRBO, Eriksson et al. 2019, arXiv 1910.01739)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.past import Rows
from orchestrator.population.rules.contract import Floats, Mask

START, LEAST, MOST, FACTOR = 0.4, 0.15, 1.0, 1.5
SUCCESSES, FAILURES = 3, 10
"""In a row, before the region grows or shrinks. All are those of BG-PBT's code."""


@dataclass(frozen=True)
class Region:
    """Rounds in which one region was searched.

    Args:
        first: its first round.
        length: its side, in unit coordinates, after the last round.
    """

    first: int
    length: float


def trust_regions(rounds: Rows, losses: Floats, proposed: Mask, patience: int) -> list[Region]:
    """The regions of a past, the present one last.

    A round is a success if its best member had a proposed configuration, a failure if another was better, and
    neither where nothing was proposed. After 3 successes in a row the side grows by half, after 10 failures
    it shrinks by as much. A side of .15, or ``patience`` rounds without a new best loss, end the region.

    Args:
        rounds: of each interval, from 1, shape ``(n,)``.
        losses: NaN where it failed, shape ``(n,)``.
        proposed: whether it trained with a configuration that had been proposed for it, shape ``(n,)``.
        patience: rounds.
    """
    count = int(rounds.max(initial=0))
    every, bold = np.full(count, np.inf), np.full(count, np.inf)
    known = np.where(np.isnan(losses), np.inf, losses)
    np.minimum.at(every, rounds - 1, known)
    np.minimum.at(bold, rounds[proposed] - 1, known[proposed])
    tried = np.bincount(rounds[proposed] - 1, minlength=count) > 0
    regions: list[Region] = []
    length, best = START, np.inf
    first, successes, failures, stale = 1, 0, 0, 0
    for index in range(count):
        stale = 0 if every[index] < best else stale + 1
        best = min(best, every[index])
        if tried[index]:
            paid = bold[index] <= every[index] < np.inf
            successes, failures = (successes + 1, 0) if paid else (0, failures + 1)
        if successes == SUCCESSES:
            length, successes = min(FACTOR * length, MOST), 0
        elif failures == FAILURES:
            length, failures = max(length / FACTOR, LEAST), 0
        if length <= LEAST or stale >= patience:
            regions.append(Region(first, length))
            length, best, first, successes, failures, stale = START, np.inf, index + 2, 0, 0, 0
    return [*regions, Region(first, length)]
