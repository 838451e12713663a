"""Exploit rules: which members of a population go on from another member's weights.

Population Based Training (Jaderberg et al. 2017, arXiv 1711.09846) names three: truncation selection, binary
tournament and t-test selection. A rule is a pure function of what the population published; it knows nothing
of workers, files or clocks. Losses are minimised and NaN marks a failed evaluation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from search_spaces import ConfigurationError

Floats = NDArray[np.float64]
Parents = NDArray[np.intp]
Mask = NDArray[np.bool_]

NOBODY = -1
"""The parent of a member that cannot go on while no member is healthy: it has to start afresh."""

GOOD_SHARE = 0.25
"""The best share of the healthy members, from which a failed member's parent is drawn."""


@dataclass(frozen=True)
class History:
    """Each member's last ``w`` evaluations at comparable age, most recent last, NaN-padded in front.

    Args:
        losses: shape ``(n, w, m)``, minimised.
        units: the hyperparameters that were trained with, in unit coordinates, shape ``(n, w, dim)``.
        ages: training steps at each evaluation, shape ``(n, w)``.
    """

    losses: Floats
    units: Floats
    ages: Floats


class ExploitRule(Protocol):
    """Decides whom each member copies; deterministic given ``rng``; inputs are not modified."""

    @property
    def window(self) -> int:
        """How many past evaluations of each member the rule looks at."""
        ...

    def serves(self, objectives: int, population: int) -> None:
        """Refuse a study that the rule cannot serve.

        Raises:
            ConfigurationError: too many objectives or too few members; its key is relative to the rule's own.
        """
        ...

    def __call__(self, losses: Floats, history: History, rng: np.random.Generator, /) -> Parents:
        """Parents ``(n,)`` given the latest ``losses`` ``(n, m)``; ``parents[i] == i`` keeps."""
        ...


def choose_parents(rule: ExploitRule, losses: Floats, history: History, rng: np.random.Generator) -> Parents:
    """Apply an exploit rule to a population in which members may have failed.

    A member whose losses hold a NaN has failed. The rule sees it as worst (infinite losses). It is always
    replaced: by the healthy parent that the rule gives it, otherwise by a uniform draw from the best quarter
    of the healthy members, ties included (with several objectives: the quarter that the fewest others
    dominate). It is never a parent. If nobody is healthy, every parent is -1.

    A parent may itself be replaced: all copies are of the members as they were when they published.

    Args:
        rule: the exploit rule.
        losses: latest losses, shape ``(n, m)``.
        history: past evaluations, the latest included.
        rng: source of randomness.

    Returns:
        Parents, shape ``(n,)``.
    """
    members = np.arange(len(losses))
    failed: Mask = np.any(np.isnan(losses), axis=1)
    if failed.all():
        return np.full(len(losses), NOBODY)
    parents = rule(np.where(failed[:, None], np.inf, losses), history, rng)
    parents = np.where(failed[parents], members, parents)
    orphans = np.flatnonzero(failed[parents])
    if len(orphans):
        parents[orphans] = rng.choice(_good_members(losses, failed), size=len(orphans))
    return parents


@dataclass(frozen=True)
class Truncation:
    """Truncation selection: members at the bottom of the ranking copy members drawn uniformly from its top.

    Both ends hold ``ceil(quantile * n)`` members, but at most ``n // 2``, so that they do not overlap. The
    paper's share is 0.2; it does not say how to round. Equal losses rank in random order: if member numbers
    decided, workers that take turns could lock into copying in one direction only, as the paper's toy shows.

    Args:
        quantile: the share of the population at each end, above 0 and at most 0.5.
    """

    quantile: float = 0.2
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not (is_number(self.quantile) and 0 < self.quantile <= 0.5):
            raise ConfigurationError("quantile", "a share above 0 and at most 0.5", self.quantile)

    def serves(self, objectives: int, population: int) -> None:
        _require_single_objective(self, objectives, population)

    def __call__(self, losses: Floats, _history: History, rng: np.random.Generator) -> Parents:
        n = len(losses)
        # The product is rounded before ceil: 0.07 * 100 is 7.000000000000001 in floating point.
        ends = min(max(1, math.ceil(round(self.quantile * n, 9))), n // 2)
        shuffled = rng.permutation(n)
        ranking = shuffled[np.argsort(losses[shuffled, 0], kind="stable")]
        parents = np.arange(n)
        parents[ranking[n - ends :]] = rng.choice(ranking[:ends], size=ends)
        return parents


@dataclass(frozen=True)
class BinaryTournament:
    """Binary tournament: every member meets one other, drawn uniformly, and copies it if it is better."""

    window: ClassVar[int] = 1

    def serves(self, objectives: int, population: int) -> None:
        _require_single_objective(self, objectives, population)

    def __call__(self, losses: Floats, _history: History, rng: np.random.Generator) -> Parents:
        rivals = _rivals(len(losses), rng)
        return np.where(losses[rivals, 0] < losses[:, 0], rivals, np.arange(len(losses)))


@dataclass(frozen=True)
class TTest:
    """t-test selection: every member meets one other and copies it if it has been significantly better.

    Better means a lower mean over the last ``window`` evaluations, by a one-sided Welch test at level
    ``alpha``; the paper names neither the level nor the side. Fewer than two evaluations on either side prove
    nothing: the member keeps its weights.

    Args:
        window: evaluations compared, at least 2 (the paper's 10).
        alpha: significance level, above 0 and below 1.
    """

    window: int = 10
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not (isinstance(self.window, int) and self.window >= 2):
            raise ConfigurationError("window", "a whole number of evaluations, at least 2", self.window)
        if not (is_number(self.alpha) and 0 < self.alpha < 1):
            raise ConfigurationError("alpha", "a significance level between 0 and 1", self.alpha)

    def serves(self, objectives: int, population: int) -> None:
        _require_single_objective(self, objectives, population)

    def __call__(self, losses: Floats, history: History, rng: np.random.Generator) -> Parents:
        rivals = _rivals(len(losses), rng)
        recent = history.losses[:, -self.window :, 0]
        better = _welch_p_lower(recent[rivals], recent) < self.alpha
        return np.where(better, rivals, np.arange(len(losses)))


@dataclass(frozen=True)
class NoExploit:
    """Every member keeps its own weights; only a failed member is replaced (:func:`choose_parents`)."""

    window: ClassVar[int] = 1

    def serves(self, objectives: int, population: int) -> None:
        """Any study."""

    def __call__(self, losses: Floats, _history: History, _rng: np.random.Generator) -> Parents:
        return np.arange(len(losses))


def _require_single_objective(rule: ExploitRule, objectives: int, population: int) -> None:
    name = type(rule).__name__
    if objectives != 1:
        raise ConfigurationError(
            "", f"a rule that can rank {objectives} objectives", name, "it ranks exactly one"
        )
    if population < 2:
        raise ConfigurationError("", f"at least 2 members for {name}", population, "raise population.size")


def _rivals(n: int, rng: np.random.Generator) -> Parents:
    """For every member another one, drawn uniformly; shape ``(n,)``."""
    return (np.arange(n) + rng.integers(1, n, size=n)) % n


def _good_members(losses: Floats, failed: Mask) -> Parents:
    """The healthy members in the best quarter by the number of others that dominate them, ties included."""
    healthy = np.flatnonzero(~failed)
    ours, theirs = losses[healthy][:, None], losses[healthy][None, :]
    dominators = ((theirs <= ours).all(axis=2) & (theirs < ours).any(axis=2)).sum(axis=1)
    last = np.sort(dominators)[math.ceil(GOOD_SHARE * len(healthy)) - 1]
    good: Parents = healthy[dominators <= last]
    return good


def _welch_p_lower(a: Floats, b: Floats) -> Floats:
    """p-values of Welch's one-sided test that a row of ``a`` has a lower mean than the same row of ``b``.

    Shapes ``(n, w)`` to ``(n,)``. NaN entries are left out; p is 1 where a side has fewer than two others.
    """
    count_a, count_b = (~np.isnan(a)).sum(axis=1), (~np.isnan(b)).sum(axis=1)
    testable = (count_a >= 2) & (count_b >= 2)
    a, b, count_a, count_b = a[testable], b[testable], count_a[testable], count_b[testable]
    gap = np.nanmean(a, axis=1) - np.nanmean(b, axis=1)
    error_a, error_b = np.nanvar(a, axis=1, ddof=1) / count_a, np.nanvar(b, axis=1, ddof=1) / count_b
    error = error_a + error_b
    with np.errstate(divide="ignore", invalid="ignore"):
        share = error_a / error
        freedom = 1 / (share**2 / (count_a - 1) + (1 - share) ** 2 / (count_b - 1))
        tail = stdtr(freedom, gap / np.sqrt(error))
    p = np.ones(len(testable))
    # Without any spread every difference of the means is certain.
    p[testable] = np.where(error > 0, tail, gap >= 0)
    return p


def is_number(value: object) -> TypeGuard[float]:
    """Whether a configured value is a finite number (a truth value is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
