"""What exploit rules and explore rules see, and what they return.

A rule is a pure function of what the population published; it knows nothing of workers, files or clocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from search_spaces import ConfigurationError, SearchSpace

Floats = NDArray[np.float64]
Parents = NDArray[np.intp]
Mask = NDArray[np.bool_]

NOBODY = -1
"""The parent of a member that cannot go on while no member is healthy: it has to start afresh."""


@dataclass(frozen=True)
class Evaluations:
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

    def __call__(self, losses: Floats, evaluations: Evaluations, rng: np.random.Generator, /) -> Parents:
        """Parents ``(n,)`` given the latest ``losses`` ``(n, m)``; ``parents[i] == i`` keeps."""
        ...


def require_one_objective(rule: ExploitRule, objectives: int, population: int) -> None:
    """What :meth:`ExploitRule.serves` asks for in a rule that ranks by one loss.

    Raises:
        ConfigurationError: there are several objectives, or there is nobody to copy.
    """
    name = type(rule).__name__
    if objectives != 1:
        raise ConfigurationError(
            "",
            f"a rule that can rank {objectives} objectives",
            name,
            "it ranks exactly one; population=mo_pbt ranks several",
        )
    if population < 2:
        raise ConfigurationError("", f"at least 2 members for {name}", population, "raise population.size")


class ExploreRule(Protocol):
    """Proposes new hyperparameters; deterministic given ``rng``; inputs are not modified."""

    @property
    def window(self) -> int:
        """How many past evaluations of each member the rule looks at."""
        ...

    def __call__(
        self,
        units: Floats,
        parents: Parents,
        evaluations: Evaluations,
        space: SearchSpace,
        rng: np.random.Generator,
        /,
    ) -> Floats:
        """Proposed unit coordinates ``(n, dim)``; called through :func:`explore`.

        Args:
            units: the hyperparameters each member inherited, NaN where inactive, ``(n, dim)``.
            parents: what the exploit rule decided, ``(n,)``.
            evaluations: those that members count with.
            space: the search space; column ``j`` of ``units`` is its ``codec.columns[j]``.
            rng: source of randomness.
        """
        ...


def same_rows(a: Floats, b: Floats) -> Mask:
    """The rows in which two arrays ``(n, dim)`` agree, NaN being equal to NaN, shape ``(n,)``."""
    same: Mask = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return same


def is_number(value: object) -> TypeGuard[float]:
    """Whether a configured value is a finite number (a truth value is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
