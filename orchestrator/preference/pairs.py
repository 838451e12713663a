"""Which two of many options to compare next, given what is believed of their utilities."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.stats import norm

from search_spaces.columns import Floats


def expected_best(mean: Floats, covariance: Floats) -> Floats:
    """The expected utility of the better one of each two options, shape ``(n, n)``.

    With a normal belief in two utilities, means ``a`` and ``b``, and the standard deviation ``s`` of their
    difference, it is ``b + d * Phi(d / s) + s * phi(d / s)`` for ``d = a - b`` (Clark 1961). Comparing the
    pair with the largest value is the policy EUBO (Lin et al. 2022, arXiv 2203.11382), and qEUBO for pairs
    (Astudillo et al. 2023, arXiv 2303.15746). BoTorch has the same as
    ``AnalyticExpectedUtilityOfBestOption``, for one pair at a time.

    Args:
        mean: ``(n,)``.
        covariance: ``(n, n)``.
    """
    variance = np.diag(covariance)
    spread = np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2 * covariance, 0.0))
    difference = mean[:, None] - mean[None, :]
    scaled = difference / np.where(spread > 0, spread, 1.0)
    gain = difference * norm.cdf(scaled) + spread * norm.pdf(scaled)
    return np.asarray(mean[None, :] + np.where(spread > 0, gain, np.maximum(difference, 0.0)))


def best_pair(values: Floats, asked: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """The two different options with the largest value that were not compared yet; None: all were.

    Args:
        values: ``(n, n)``, symmetric.
        asked: pairs that were compared, in either order.
    """
    open_ = np.triu(np.ones(values.shape, dtype=bool), k=1)
    for first, second in asked:
        open_[min(first, second), max(first, second)] = False
    if not open_.any():
        return None
    place = int(np.where(open_, values, -np.inf).argmax())
    return place // len(values), place % len(values)


def chance_of_better(mean: Floats, covariance: Floats, first: int, second: int) -> float:
    """How likely the first option's utility is above the second's."""
    variance = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
    return float(norm.cdf((mean[first] - mean[second]) / np.sqrt(max(float(variance), 1e-300))))
