"""Tests whether methods differ by more than chance, over tasks, after Demšar (JMLR 7, 2006).

``scores`` has shape ``(n, k)``: n tasks (the blocks), k methods; smaller is better. Only comparisons within a
task matter to ranks, Friedman's and Nemenyi's test; Wilcoxon's compares the sizes of differences between
tasks and needs values on a common scale.

The tests take the blocks for independent of one another. With ``benchmark.task_seeds`` a method's draws
differ from task to task; without, as in carps and in studies from before that key, blocks share the initial
design. Where two tasks are one function at full fidelity, as MF-Hartmann of one dimension is in two
qualities, a method that chooses no fidelity does the same on both: name the parameter in the suite's
``variants``, and they are one block.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]

ALPHA = 0.05
"""Level of the critical difference."""

_EXACT_TASKS = 200


def mean_ranks(scores: ArrayLike) -> Array:
    """Mean over tasks of each method's rank, 1 the best, equal scores sharing their ranks; ``(k,)``."""
    return np.asarray(stats.rankdata(_matrix(scores), axis=1).mean(axis=0), dtype=float)


def friedman(scores: ArrayLike) -> tuple[float, float]:
    """Friedman's statistic, corrected for ties, and its p-value: do the methods' ranks differ at all?

    The p-value is that of the chi-square distribution with k - 1 degrees of freedom, which is an
    approximation, a cautious one for few tasks or methods (below about 10 tasks or 6 methods).

    Raises:
        ValueError: fewer than 3 methods or 2 tasks.
    """
    matrix = _matrix(scores)
    _enough(matrix)
    if (matrix == matrix[:, :1]).all():
        return 0.0, 1.0  # the correction for ties divides by zero
    statistic, p = stats.friedmanchisquare(*matrix.T)
    return float(statistic), float(p)


def critical_difference(tasks: int, methods: int, alpha: float = ALPHA) -> float:
    """The difference of mean ranks from which on two methods differ, by Nemenyi's test at ``alpha``."""
    return _quantile(methods, alpha) * _standard_error(tasks, methods)


def nemenyi(scores: ArrayLike) -> Array:
    """p-values of Nemenyi's test of all pairs, corrected for their number; ``(k, k)``, 1 on the diagonal.

    From the studentised range distribution with infinitely many degrees of freedom: an approximation that
    is good from about 10 tasks on.

    Raises:
        ValueError: fewer than 3 methods or 2 tasks.
    """
    matrix = _matrix(scores)
    _enough(matrix)
    tasks, methods = matrix.shape
    ranks = mean_ranks(matrix)
    ranges = np.abs(ranks[:, None] - ranks) / _standard_error(tasks, methods) * np.sqrt(2)
    p = np.ones_like(ranges)
    for i, j in zip(*np.triu_indices(methods, 1), strict=True):
        p[i, j] = p[j, i] = stats.studentized_range.sf(ranges[i, j], methods, np.inf)
    return np.asarray(np.clip(p, 0.0, 1.0))


def wilcoxon(first: ArrayLike, second: ArrayLike) -> tuple[float, int]:
    """Wilcoxon's signed-rank test of two methods' scores, each of shape ``(n,)``.

    Zero differences are split between both signs, as Demšar does. Exact for up to 200 tasks, even with zero
    or equal differences; the normal approximation beyond.

    Returns:
        The two-sided p-value, and the sign of the positive differences' rank sum minus that of the negative
        ones: 1 where the first method is the worse one, -1 where the second is, 0 where neither is. Mean
        ranks do not know how large differences are, and may have it the other way.

    Raises:
        ValueError: fewer than 2 tasks.
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if len(differences) < 2:
        raise ValueError(f"expected at least 2 tasks, got {len(differences)}")
    if not differences.any():
        return 1.0, 0
    sign = int(np.sign((np.sign(differences) * stats.rankdata(np.abs(differences))).sum()))
    if len(differences) > _EXACT_TASKS:
        p = stats.wilcoxon(differences, zero_method="zsplit", method="asymptotic").pvalue
        return float(p), sign
    return _exact_signed_rank(differences), sign


def holm(p: ArrayLike) -> Array:
    """p-values corrected for their number, so that together they err at the level of one (Holm 1979)."""
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def _exact_signed_rank(differences: Array) -> float:
    """Share of all assignments of signs whose rank sum is as far from its mean as the one at hand.

    The distribution is built up difference by difference. Halves of ranks, which ties make, become whole
    numbers by doubling; zeros add the same to both signs, so that they change no distance from the mean.
    """
    doubled = np.rint(2 * stats.rankdata(np.abs(differences))).astype(np.int64)
    steps = doubled[differences != 0]
    shares = np.ones(1)
    for step in steps:
        shares = (np.pad(shares, (0, step)) + np.pad(shares, (step, 0))) / 2
    mean = steps.sum() / 2
    far = np.abs(np.arange(len(shares)) - mean) >= abs(doubled[differences > 0].sum() - mean)
    return min(float(shares[far].sum()), 1.0)


def _standard_error(tasks: int, methods: int) -> float:
    return float(np.sqrt(methods * (methods + 1) / (6 * tasks)))


@lru_cache
def _quantile(methods: int, alpha: float) -> float:
    """Of the studentised range, divided by the square root of 2 (Demšar, table 5a)."""
    return float(stats.studentized_range.ppf(1 - alpha, methods, np.inf) / np.sqrt(2))


def _matrix(scores: ArrayLike) -> Array:
    matrix = np.asarray(scores, dtype=float)
    if matrix.ndim != 2 or np.isnan(matrix).any():
        raise ValueError(f"expected scores of shape (tasks, methods) without NaN, got shape {matrix.shape}")
    return matrix


def _enough(matrix: Array) -> None:
    tasks, methods = matrix.shape
    if methods < 3 or tasks < 2:
        raise ValueError(f"expected at least 3 methods and 2 tasks, got {methods} and {tasks}")
