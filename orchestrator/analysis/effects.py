"""How large differences between methods are, beside whether chance explains them.

``scores`` are smaller for better methods; infinite where a run found nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]

ROPE = 0.01
"""Normalised scores that differ by less count as practically equal."""
SAMPLES, FEW_SAMPLES = 2000, 200
"""Draws from a posterior: its probabilities are right to about .01, or .04 where many tasks decide anyway."""
_ALL_SAMPLES = 400_000
"""Draws times tasks."""
PRIOR = 0.5
"""Weight of the prior's pseudo-observation, as in baycomp."""


class Balance(NamedTuple):
    """On how many tasks the first of two methods is better, equal and worse."""

    wins: int
    ties: int
    losses: int


class Posterior(NamedTuple):
    """Probabilities that the first method is better, that both are practically equal, that the second is."""

    first: float
    equal: float
    second: float


def a12(first: ArrayLike, second: ArrayLike) -> float:
    """Vargha and Delaney's A12 (2000): the chance that a run of the first method beats one of the second.

    Equal runs count half. .5: no difference; from .56, .64 and .71 on it is called small, medium and large.

    Args:
        first, second: scores of runs, shapes ``(n,)`` and ``(m,)``; n and m at least 1.
    """
    own, other = np.asarray(first, dtype=float), np.sort(np.asarray(second, dtype=float))
    below, upto = (np.searchsorted(other, own, side=side).sum() for side in ("left", "right"))
    # ``upto`` counts the other's runs that are better or equal, ``below`` those that are better.
    return float(1 - (below + upto) / (2 * len(own) * len(other)))


def balance(order: ArrayLike, first: int, second: int) -> Balance:
    """Wins, ties and losses of column ``first`` against ``second``; ``order`` is ``(tasks, methods)``."""
    matrix = np.asarray(order, dtype=float)
    better, worse = matrix[:, first] < matrix[:, second], matrix[:, first] > matrix[:, second]
    return Balance(int(better.sum()), int((~better & ~worse).sum()), int(worse.sum()))


def signed_rank_posterior(
    first: ArrayLike,
    second: ArrayLike,
    rng: np.random.Generator,
    rope: float = ROPE,
    samples: int | None = None,
) -> Posterior:
    """The Bayesian signed-rank test with a region of practical equivalence (Benavoli et al., ICML 2014).

    The posterior of the difference's distribution is a Dirichlet process. For each draw from it, the chance
    that the mean of two differences lies below, within or above the region is computed; the probabilities
    are the shares of draws in which each of the three is the largest. baycomp sums over all pairs of tasks;
    we sum over sorted differences, which gives the same number in ``n log n``.

    Args:
        first, second: scores on the same n tasks, shape ``(n,)``.
        rng: draws the weights.
        rope: half the width of the region, in units of the scores; at least 0.
        samples: draws from the posterior; None: from 2,000 for up to 200 tasks to 200 for many.
    """
    differences = np.append(0.0, np.asarray(second, dtype=float) - np.asarray(first, dtype=float))
    usual = int(np.clip(_ALL_SAMPLES // len(differences), FEW_SAMPLES, SAMPLES))
    count = usual if samples is None else samples
    weights = np.full(len(differences), 1.0)
    weights[0] = PRIOR
    draws = rng.dirichlet(weights, count)
    above = _mass_above(differences, draws, 2 * rope)
    below = _mass_above(-differences, draws, 2 * rope)
    largest = np.argmax([above, 1 - above - below, below], axis=0)
    return Posterior(*(np.bincount(largest, minlength=3) / count).tolist())


def _mass_above(differences: Array, draws: Array, threshold: float) -> Array:
    """The chance that two differences drawn by weight sum to more than ``threshold``; ``(samples,)``."""
    order = np.argsort(differences)
    values, ordered = differences[order], draws[:, order]
    # The weight of all differences from each place on.
    tails = np.zeros((len(draws), len(values) + 1))
    tails[:, :-1] = np.cumsum(ordered[:, ::-1], axis=1)[:, ::-1]
    over = np.searchsorted(values, threshold - values, side="right")
    from_ = np.searchsorted(values, threshold - values, side="left")
    return np.asarray((ordered * (tails[:, over] + tails[:, from_])).sum(axis=1) / 2)


def interquartile_mean(values: ArrayLike) -> Array:
    """The mean of the middle half along the first axis (Agarwal et al. 2021), robust and still efficient."""
    return np.asarray(stats.trim_mean(np.asarray(values, dtype=float), 0.25, axis=0))
