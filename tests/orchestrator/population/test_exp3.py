"""TV.EXP3.M and dependent rounding, against the published formulas written out with loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.population.methods.exp3 import Bandit, dependent_rounding
from orchestrator.population.rules.contract import Floats


def shares_by_search(weights: list[float], gamma: float, plays: int) -> tuple[list[float], list[bool]]:
    """The probabilities of a single play; the cap is found by bisection."""
    arms = len(weights)
    limit = (1 / plays - gamma / arms) / (1 - gamma)
    capped = [False] * arms
    if plays < arms and max(weights) >= limit * sum(weights):
        low, high = 0.0, max(weights)
        for _ in range(200):
            alpha = (low + high) / 2
            share = alpha / sum(min(alpha, weight) for weight in weights)
            low, high = (alpha, high) if share < limit else (low, alpha)
        capped = [weight > high - 1e-12 for weight in weights]
        weights = [min(high, weight) for weight in weights]
    return [(1 - gamma) * weight / sum(weights) + gamma / arms for weight in weights], capped


def weights_by_hand(
    arms: int, plays: int, gamma: float, omega: float, rounds: list[list[tuple[int, float]]]
) -> list[float]:
    weights = [1.0] * arms
    for played in rounds:
        shares, capped = shares_by_search(weights, gamma, plays)
        drift = math.e * omega * sum(weights) / arms
        new = []
        for arm in range(arms):
            estimate = sum(reward / (plays * shares[arm]) for one, reward in played if one == arm)
            grown = math.exp(plays * gamma * estimate / arms) if not capped[arm] else 1.0
            new.append(weights[arm] * grown + drift)
        weights = new
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize(("arms", "plays"), [(3, 8), (3, 3), (5, 2), (6, 4), (4, 3), (2, 1)])
def test_weights_follow_the_published_updates(arms: int, plays: int) -> None:
    rng, rounds = np.random.default_rng(arms + plays), 12
    bandit = Bandit(arms, plays, 200)
    played = [
        [(int(arm), float(rng.random())) for arm in rng.integers(0, arms, plays)] for _ in range(rounds)
    ]
    expected = weights_by_hand(arms, plays, bandit.exploration, bandit.drift, played)
    flat = [(number, *one) for number, of_round in enumerate(played) for one in of_round]
    numbers, chosen, rewards = (np.array(column) for column in zip(*flat, strict=True))
    np.testing.assert_allclose(bandit.weights(numbers, chosen, rewards), expected, rtol=1e-9)


@pytest.mark.parametrize("plays", [1, 2, 3, 4])
def test_no_arm_gets_more_than_one_of_the_plays(plays: int) -> None:
    bandit, weights = Bandit(5, plays, 400), np.array([0.9, 0.06, 0.02, 0.01, 0.01])
    shares, capped = bandit.shares(weights, plays)
    expected, by_search = shares_by_search(weights.tolist(), bandit.exploration, plays)
    np.testing.assert_allclose(shares, expected)
    assert capped.tolist() == by_search
    assert shares.sum() == pytest.approx(1) and plays * shares.max() <= 1 + 1e-9


def test_the_published_exploration_and_drift() -> None:
    assert Bandit(3, 4, 50).exploration == 0.2
    assert Bandit(3, 3, 50).exploration == 0.2
    assert Bandit(5, 2, 50).exploration == pytest.approx(
        math.sqrt(5 * math.log(2.5) / ((math.e - 1) * 2 * 5))
    )
    assert Bandit(9, 1, 2).exploration == 1.0
    assert Bandit(3, 4, 50).drift == pytest.approx(0.002)


def test_nothing_played_is_uniform_and_many_plays_do_not_overflow() -> None:
    bandit, none = Bandit(3, 5000, 10), np.empty(0, dtype=np.intp)
    np.testing.assert_allclose(bandit.weights(none, none, np.empty(0)), 1 / 3)
    zeros = np.zeros(5000, dtype=np.intp)
    weights = bandit.weights(np.arange(5000) % 3, zeros, np.ones(5000))
    assert np.isfinite(weights).all() and weights.argmax() == 0 and (weights >= 0).all()


def test_what_gains_most_is_played_most_and_a_change_is_noticed() -> None:
    bandit = Bandit(3, 4, 40)
    rng = np.random.default_rng(0)
    numbers, played = np.repeat(np.arange(40), 4), rng.integers(0, 3, 160)
    early = (played == 0).astype(float)
    assert bandit.weights(numbers, played, early).argmax() == 0
    late = np.where(numbers < 15, played == 0, played == 2).astype(float)
    assert bandit.weights(numbers, played, late).argmax() == 2


def frequencies(probabilities: Floats, draws: int = 4000) -> Floats:
    rng, counts = np.random.default_rng(0), np.zeros(len(probabilities))
    for _ in range(draws):
        chosen = dependent_rounding(probabilities, rng)
        assert len(chosen) == len(set(chosen.tolist())) == round(probabilities.sum())
        counts[chosen] += 1
    return counts / draws


@pytest.mark.parametrize(
    "probabilities", [[0.2, 0.3, 0.5], [0.9, 0.6, 0.5], [1.0, 0.25, 0.75, 0.0], [1.0, 1.0]]
)
def test_dependent_rounding_draws_each_with_its_probability(probabilities: list[float]) -> None:
    # Five standard errors of 4,000 draws.
    np.testing.assert_allclose(frequencies(np.array(probabilities)), probabilities, atol=0.04)


def test_members_decided_together_get_different_arms_while_there_are_enough() -> None:
    bandit, rng = Bandit(4, 3, 20), np.random.default_rng(0)
    weights = np.array([0.97, 0.01, 0.01, 0.01])
    draws = [bandit.draw(weights, 3, rng) for _ in range(50)]
    assert all(len(set(one.tolist())) == 3 for one in draws)
    assert bandit.draw(weights, 9, rng).shape == (9,)
    singles = np.concatenate([bandit.draw(weights, 1, rng) for _ in range(300)])
    shares, _ = bandit.shares(weights, 1)
    assert np.mean(singles == 0) == pytest.approx(shares[0], abs=0.1)
