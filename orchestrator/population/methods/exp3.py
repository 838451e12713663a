"""TV.EXP3.M, a bandit of categories whose worth changes and several of which are played in each round.

Parker-Holder et al. 2021 (arXiv 2106.15883): EXP3.M (Uchiya et al. 2010) with weights that drift together,
so that a category that was bad early on is tried again. Each call works the weights out of all rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from orchestrator.population.past import Rows
from orchestrator.population.rules.contract import Floats, Mask


@dataclass(frozen=True)
class Bandit:
    """The bandit of one parameter.

    The exploration rate and the drift are those of the authors' code (github jparkerholder/procgen_autorl).
    The updates are the paper's: the code multiplies by the drift that the paper adds, divides rewards by the
    number of plays twice, and adds the drift to the probabilities too.

    Args:
        arms: categories, at least 1.
        plays: categories that are played in a round: the size of the population.
        rounds: rounds in all.
    """

    arms: int
    plays: int
    rounds: int

    @property
    def exploration(self) -> float:
        """The share of uniform play, at most 1."""
        if self.plays >= self.arms:
            return 0.2
        wanted = self.arms * math.log(self.arms / self.plays)
        return min(1.0, math.sqrt(wanted / ((math.e - 1) * self.plays * self.rounds / 10)))

    @property
    def drift(self) -> float:
        """How much of the mean weight every weight gains in a round, in units of e."""
        return 1 / (10 * self.rounds)

    def weights(self, rounds: Rows, played: Rows, rewards: Floats) -> Floats:
        """The weights of all arms after what was played, shape ``(arms,)``; they sum to 1.

        Args:
            rounds: of each play, shape ``(n,)``.
            played: the arm, shape ``(n,)``.
            rewards: from 0 to 1, shape ``(n,)``.
        """
        weights = np.full(self.arms, 1 / self.arms)
        _, place = np.unique(rounds, return_inverse=True)
        earned = np.zeros((int(place.max(initial=-1)) + 1, self.arms))
        np.add.at(earned, (place, played), rewards)
        for sums in earned:
            shares, capped = self.shares(weights, self.plays)
            estimates = np.where(capped, 0.0, sums / (self.plays * shares))
            drift = math.e * self.drift * weights.mean()
            power = self.plays * self.exploration / self.arms * estimates
            # Many plays of one arm can exceed what an exponent holds; only ratios count.
            weights = weights * np.exp(power - power.max()) + drift * np.exp(-power.max())
            weights /= weights.sum()
        return weights

    def shares(self, weights: Floats, plays: int) -> tuple[Floats, Mask]:
        """How plays are shared among arms, none getting more than one of them, and which arms were capped.

        Args:
            weights: positive, shape ``(arms,)``.
            plays: categories that are drawn together; from as many as there are arms, none is capped.

        Returns:
            Shares that sum to 1, and whether each arm's weight was lowered, both of shape ``(arms,)``.
        """
        uniform = self.exploration
        capped = np.zeros(self.arms, dtype=bool)
        if plays < self.arms and uniform < 1:
            limit = (1 / plays - uniform / self.arms) / (1 - uniform)
            weights, capped = _capped(weights, limit)
        return (1 - uniform) * weights / weights.sum() + uniform / self.arms, capped

    def draw(self, weights: Floats, plays: int, rng: np.random.Generator) -> Rows:
        """Arms for members that are decided on together, in random order, shape ``(plays,)``.

        Fewer than there are arms: all different. Otherwise each is drawn on its own.
        """
        shares, _ = self.shares(weights, plays)
        if plays >= self.arms:
            return rng.choice(self.arms, size=plays, p=shares)
        return rng.permutation(dependent_rounding(np.minimum(plays * shares, 1.0), rng))


_WHOLE = 1e-9
"""Probabilities so near 0 or 1 are."""


def dependent_rounding(probabilities: Floats, rng: np.random.Generator) -> Rows:
    """A random set that holds each element with exactly its probability (Gandhi et al. 2006, DepRound).

    Args:
        probabilities: between 0 and 1, shape ``(n,)``; their sum is a whole number, the size of the set.
        rng: source of randomness.

    Returns:
        The elements, ascending.
    """
    left, size = probabilities.copy(), round(float(probabilities.sum()))
    while len(undecided := np.flatnonzero((left > _WHOLE) & (left < 1 - _WHOLE))) > 1:
        i, j = rng.choice(undecided, size=2, replace=False)
        up, down = min(1 - left[i], left[j]), min(left[i], 1 - left[j])
        step = up if rng.random() < down / (up + down) else -down
        left[i], left[j] = left[i] + step, left[j] - step
    return np.sort(np.argsort(-left, kind="stable")[:size])


def _capped(weights: Floats, limit: float) -> tuple[Floats, Mask]:
    """Weights of which none exceeds ``limit`` of their sum, the larger ones lowered to one value; and which.

    With the ``j`` largest lowered to ``a``, ``a = limit * (j * a + rest)``; the least ``j`` that leaves no
    other weight above ``a``.
    """
    capped = np.zeros(len(weights), dtype=bool)
    if weights.max() < limit * weights.sum():
        return weights, capped
    order = np.argsort(-weights, kind="stable")
    value = np.inf
    for count in range(1, math.ceil(1 / limit)):
        capped[order[count - 1]] = True
        rest = weights[order[count:]]
        value = limit * rest.sum() / (1 - count * limit)
        if value >= rest.max(initial=0.0):
            break
    return np.where(capped, value, weights), capped
