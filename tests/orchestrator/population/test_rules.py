from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from orchestrator.population.rules import BinaryTournament, NoExploit, Truncation, TTest
from orchestrator.population.rules.contract import Evaluations, ExploitRule, Floats
from orchestrator.population.rules.exploit import choose_parents
from search_spaces import ConfigurationError
from tests.orchestrator.population.contract import exploit_contract, forgotten

TestTruncation = exploit_contract(Truncation())
TestTruncationOfHalves = exploit_contract(Truncation(quantile=0.5))
TestBinaryTournament = exploit_contract(BinaryTournament())
TestTTest = exploit_contract(TTest(), ranks=False)
TestNoExploit = exploit_contract(NoExploit())
TestNoExploitOfTwoObjectives = exploit_contract(NoExploit(), objectives=2)


def test_no_rule_is_forgotten() -> None:
    assert forgotten("population/exploit", globals().values()) == []


def history(losses: Any) -> Evaluations:
    """A history of one hyperparameter from losses ``(n,)``, ``(n, w)`` or ``(n, w, m)``."""
    values = np.array(losses, dtype=float)
    while values.ndim < 3:
        values = values[..., None]
    return Evaluations(values, units=np.full((*values.shape[:2], 1), 0.5), ages=np.ones(values.shape[:2]))


def parents_of(rule: ExploitRule, losses: Any, seed: int = 0) -> list[int]:
    past = history(losses)
    return choose_parents(rule, past.losses[:, -1], past, np.random.default_rng(seed)).tolist()


class TestTruncationRule:
    @pytest.mark.parametrize(
        ("quantile", "n", "replaced"),
        [(0.2, 20, 4), (0.2, 21, 5), (0.07, 100, 7), (0.25, 4, 1), (1e-12, 10, 1), (0.5, 2, 1), (0.5, 5, 2)],
    )
    def test_share_replaced(self, quantile: float, n: int, replaced: int) -> None:
        losses = np.random.default_rng(1).permutation(n)
        parents = np.array(parents_of(Truncation(quantile), losses))
        changed = parents != np.arange(n)
        assert changed.sum() == replaced
        assert (losses[changed] >= n - replaced).all()
        assert (losses[parents[changed]] < replaced).all()

    def test_every_top_member_may_be_the_parent(self) -> None:
        drawn = {parents_of(Truncation(0.4), [0, 1, 2, 3, 4], seed)[4] for seed in range(50)}
        assert drawn == {0, 1}

    def test_ties_break_at_random(self) -> None:
        assert {tuple(parents_of(Truncation(0.5), [1, 1], seed)) for seed in range(50)} == {(0, 0), (1, 1)}

    @pytest.mark.parametrize("quantile", [0, -0.1, 0.51, float("nan"), "a fifth", True])
    def test_refuses_quantile(self, quantile: Any) -> None:
        with pytest.raises(ConfigurationError, match="at most 0") as caught:
            Truncation(quantile)
        assert caught.value.key == "quantile"


class TestBinaryTournamentRule:
    def test_the_better_of_two_is_copied(self) -> None:
        assert parents_of(BinaryTournament(), [3.0, 1.0]) == [1, 1]

    def test_equal_losses_keep(self) -> None:
        assert parents_of(BinaryTournament(), [1.0] * 6) == [0, 1, 2, 3, 4, 5]

    def test_rivals_are_uniform_among_the_others(self) -> None:
        meetings = [parents_of(BinaryTournament(), [2, 1, 3], seed)[2] for seed in range(600)]
        assert np.bincount(meetings).tolist() == pytest.approx([300, 300], abs=75)


def welch(lower: Floats, higher: Floats) -> float:
    """The reference: SciPy's one-sided p-value."""
    test = stats.ttest_ind(lower, higher, equal_var=False, nan_policy="omit", alternative="less")
    return float(test.pvalue)


class TestTTestRule:
    def test_agrees_with_scipy(self) -> None:
        rng = np.random.default_rng(0)
        verdicts = set()
        for _ in range(50):
            losses = np.stack([rng.normal(0, 1, 10), rng.normal(0.7, 2, 10)])
            losses[:, : rng.integers(0, 8)] = np.nan
            expected = [1 - i if welch(losses[1 - i], losses[i]) < 0.05 else i for i in range(2)]
            assert parents_of(TTest(), losses[..., None]) == expected
            verdicts.add(tuple(expected))
        assert len(verdicts) > 1

    def test_looks_at_its_window_only(self) -> None:
        losses = [[9.0, 9.0, 1.0, 1.1, 1.2], [0.0, 0.0, 2.0, 2.1, 2.2]]
        assert parents_of(TTest(window=3), np.array(losses)[..., None]) == [0, 0]

    @pytest.mark.parametrize(
        ("theirs", "expected"),
        [
            pytest.param([1.0, 1.0], 1, id="no spread, lower"),
            pytest.param([5.0, 5.0], 0, id="no spread, equal"),
            pytest.param([9.0, 9.0], 0, id="no spread, higher"),
            pytest.param([np.nan, 1.0], 0, id="one evaluation"),
        ],
    )
    def test_edge_cases(self, theirs: list[float], expected: int) -> None:
        losses = np.array([[5.0, 5.0], theirs])[..., None]
        assert parents_of(TTest(), losses)[0] == expected

    @pytest.mark.parametrize(
        ("key", "value"), [("window", 1), ("window", 2.5), ("alpha", 0), ("alpha", 1), ("alpha", "small")]
    )
    def test_refuses(self, key: str, value: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            TTest(**{key: value})
        assert caught.value.key == key


class TestFailedMembers:
    def test_count_as_worst(self) -> None:
        parents = parents_of(Truncation(0.25), [0, 1, 2, 3, 4, np.nan, 6, np.nan])
        assert parents[:5] == [0, 1, 2, 3, 4]
        assert parents[6] == 6
        assert {parents[5], parents[7]} <= {0, 1}

    def test_all_are_replaced_beyond_the_quantile(self) -> None:
        parents = parents_of(Truncation(0.25), [np.nan, np.nan, np.nan, np.nan, 5, 4, np.nan, np.nan])
        assert parents[4:6] == [4, 5]
        assert set(parents[:4] + parents[6:]) <= {4, 5}

    def test_parents_come_from_the_best_quarter(self) -> None:
        losses = [np.nan, 0, 1, 2, 3, 4, 5, 6, 7]
        drawn = {parents_of(NoExploit(), losses, seed)[0] for seed in range(60)}
        assert drawn == {1, 2}

    def test_parents_are_those_that_the_fewest_dominate(self) -> None:
        losses = [[np.nan, 0.0], [0.0, 3.0], [3.0, 0.0], [1.0, 4.0], [4.0, 4.0]]
        drawn = {parents_of(NoExploit(), np.array(losses)[:, None], seed)[0] for seed in range(60)}
        assert drawn == {1, 2}

    def test_a_significantly_better_past_does_not_make_a_failed_member_a_parent(self) -> None:
        losses = np.array([[5.0, 5.1, 5.2, 5.3], [1.0, 1.1, 1.2, np.nan]])[..., None]
        assert parents_of(TTest(), losses) == [0, 0]

    def test_nobody_healthy(self) -> None:
        assert parents_of(Truncation(), [np.nan, np.nan, np.nan]) == [-1, -1, -1]


@pytest.mark.parametrize("rule", [Truncation(), BinaryTournament(), TTest()])
def test_ranking_rules_refuse_what_they_cannot_serve(rule: ExploitRule) -> None:
    with pytest.raises(ConfigurationError, match="2 objectives"):
        rule.serves(objectives=2, population=8)
    with pytest.raises(ConfigurationError, match="at least 2 members"):
        rule.serves(objectives=1, population=1)
