"""Tests against Demšar's paper, against second implementations' figures, and by their properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from orchestrator.analysis.statistics import (
    critical_difference,
    friedman,
    holm,
    mean_ranks,
    nemenyi,
    wilcoxon,
)

# Demšar 2006, table 6: ranks of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf by AUC on 14 data sets.
DEMSAR_RANKS = np.array(
    [
        [4, 3, 2, 1],
        [1, 2, 3, 4],
        [4, 1, 2, 3],
        [4, 1, 3, 2],
        [4, 2, 3, 1],
        [1, 2.5, 4, 2.5],
        [3, 2, 4, 1],
        [2.5, 2.5, 4, 1],
        [4, 3, 2, 1],
        [2.5, 2.5, 2.5, 2.5],
        [4, 2.5, 1, 2.5],
        [3, 2, 4, 1],
        [4, 1, 2, 3],
        [3, 1, 4, 2],
    ]
)

# Demšar 2006, table 2: AUC of C4.5 and C4.5+m on the same data sets.
C45 = [763, 599, 954, 628, 882, 936, 661, 583, 775, 1000, 940, 619, 972, 957]
C45_M = [768, 591, 971, 661, 888, 931, 668, 583, 838, 1000, 962, 666, 981, 978]

SCORES = np.array(
    [
        [0.63, 0.72, 0.7, 0.11],
        [0.3, 0.7, 0.0, 0.41],
        [0.8, 0.37, 0.27, 0.14],
        [0.25, 0.36, 0.45, 0.28],
        [1.0, 0.63, 0.56, 0.49],
        [0.22, 0.13, 0.55, 0.02],
        [0.04, 0.41, 0.42, 0.46],
        [0.63, 0.41, 0.45, 0.12],
    ]
)

scores = st.tuples(st.integers(2, 8), st.integers(3, 5)).flatmap(
    lambda shape: arrays(float, shape, elements=st.integers(-4, 4).map(float))
)


def test_mean_ranks_of_demsars_example() -> None:
    assert mean_ranks(DEMSAR_RANKS) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)


def test_friedman_on_demsars_example() -> None:
    statistic, p = friedman(DEMSAR_RANKS)
    # 9.28 in the paper, which does not correct for ties: 1 - sum(t^3 - t) / (n k (k^2 - 1)) is to divide it.
    ties = (3 * (2**3 - 2) + (4**3 - 4)) / (14 * 4 * 15)
    ranks = mean_ranks(DEMSAR_RANKS)
    uncorrected = 12 * 14 / (4 * 5) * ((ranks**2).sum() - 4 * 5**2 / 4)
    assert uncorrected == pytest.approx(9.28, abs=0.01)
    assert statistic == pytest.approx(uncorrected / (1 - ties))
    assert p == pytest.approx(stats.chi2.sf(statistic, 3))


@pytest.mark.parametrize(
    ("methods", "quantile"),
    [
        (2, 1.960),
        (3, 2.343),
        (4, 2.569),
        (5, 2.728),
        (6, 2.850),
        (7, 2.949),
        (8, 3.031),
        (9, 3.102),
        (10, 3.164),
    ],
)
def test_critical_values_are_those_of_demsars_table(methods: int, quantile: float) -> None:
    tasks = 14
    error = np.sqrt(methods * (methods + 1) / (6 * tasks))
    assert critical_difference(tasks, methods) / error == pytest.approx(quantile, abs=1.1e-3)


def test_critical_differences_in_demsars_text() -> None:
    assert critical_difference(14, 4) == pytest.approx(1.25, abs=5e-3)
    assert critical_difference(14, 4, alpha=0.10) == pytest.approx(1.12, abs=5e-3)


def test_friedman_and_nemenyi_match_second_implementations() -> None:
    """Figures of scipy's and scikit-posthocs' (0.17.1, ``posthoc_nemenyi_friedman``)."""
    assert friedman(SCORES) == pytest.approx((3.75, 0.28975578119338535))
    expected = [
        [1.0, 0.9802684763665689, 0.9974281001865932, 0.5274343938975339],
        [0.9802684763665689, 1.0, 0.9974281001865932, 0.30144940874266324],
        [0.9974281001865932, 0.9974281001865932, 1.0, 0.4080496978656374],
        [0.5274343938975339, 0.30144940874266324, 0.4080496978656374, 1.0],
    ]
    assert nemenyi(SCORES) == pytest.approx(np.array(expected), abs=1e-9)


def test_wilcoxon_and_holm_match_scikit_posthocs() -> None:
    """Figures of ``posthoc_wilcoxon(p_adjust="holm")``."""
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    corrected = holm([wilcoxon(SCORES[:, i], SCORES[:, j])[0] for i, j in pairs])
    assert corrected == pytest.approx([1.0, 1.0, 0.703125, 1.0, 0.09375, 0.703125])


def test_holm_matches_statsmodels() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005, 0.2]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.2])


def test_wilcoxon_rejects_where_demsar_does() -> None:
    """T = 12 is below the critical value 21 for 14 data sets at .05."""
    assert stats.wilcoxon(np.subtract(C45, C45_M), zero_method="zsplit").statistic == 12
    p, sign = wilcoxon(C45, C45_M)
    assert p < 0.05
    assert sign == -1


def test_wilcoxon_is_exact_for_few_tasks() -> None:
    """All n differences of one sign: 2 of the 2^n sign vectors are as extreme."""
    for n in (2, 6, 13):
        assert wilcoxon(np.arange(1.0, n + 1), np.zeros(n)) == pytest.approx((2 / 2**n, 1))
        assert wilcoxon(np.zeros(n), np.ones(n)) == pytest.approx((2 / 2**n, -1))


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9).filter(any))
def test_wilcoxon_is_the_share_of_all_signs(differences: list[int]) -> None:
    ranks = stats.rankdata(np.abs(differences))
    signs = np.array(list(itertools.product((-1, 1), repeat=len(differences))))
    total = (np.sign(differences) * ranks).sum()
    nonzero = np.array(differences) != 0
    extreme = np.abs((signs * ranks)[:, nonzero].sum(axis=1)) >= abs(total)
    expected = extreme.mean(), np.sign(total)
    assert wilcoxon(differences, np.zeros(len(differences))) == pytest.approx(expected)


def test_wilcoxon_matches_scipy_where_that_is_exact_and_where_tasks_are_many() -> None:
    rng = np.random.default_rng(0)
    some = rng.normal(0.3, 1, 40)
    assert wilcoxon(some, np.zeros(40))[0] == pytest.approx(stats.wilcoxon(some, method="exact").pvalue)
    many = rng.normal(0.1, 1, 201)
    exact, _ = wilcoxon(many[:200], np.zeros(200))
    assert exact == pytest.approx(stats.wilcoxon(many[:200], method="asymptotic").pvalue, rel=0.02)
    asymptotic = stats.wilcoxon(many, method="asymptotic").pvalue
    assert wilcoxon(many, np.zeros(201)) == pytest.approx((asymptotic, 1))


def test_equal_methods_do_not_differ() -> None:
    same = np.tile(np.arange(5.0)[:, None], 3)
    assert friedman(same) == (0.0, 1.0)
    assert nemenyi(same) == pytest.approx(np.ones((3, 3)))
    assert wilcoxon(same[:, 0], same[:, 1]) == (1.0, 0)


def test_wilcoxon_may_be_for_the_method_with_the_worse_mean_rank() -> None:
    """The first method wins 16 tasks with the smallest gaps, the second 14 with the largest."""
    gaps = np.arange(1.0, 31)
    first, second = np.where(gaps > 16, gaps, 0.0), np.where(gaps <= 16, gaps, 0.0)
    better, worse = mean_ranks(np.column_stack([first, second]))
    assert better < worse
    p, sign = wilcoxon(first, second)
    assert (p, sign) == (pytest.approx(0.047, abs=5e-4), 1)
    assert wilcoxon(second, first) == (p, -1)


@given(scores)
def test_ranks_and_tests_see_order_only(matrix: np.ndarray) -> None:
    transformed = np.exp(matrix) * np.arange(1, len(matrix) + 1)[:, None] - 7
    assert (mean_ranks(transformed) == mean_ranks(matrix)).all()
    assert friedman(transformed) == pytest.approx(friedman(matrix))


@given(scores)
def test_ranks_sum_up_and_pairs_are_symmetric(matrix: np.ndarray) -> None:
    methods = matrix.shape[1]
    assert mean_ranks(matrix).sum() == pytest.approx(methods * (methods + 1) / 2)
    p = nemenyi(matrix)
    assert (p == p.T).all()
    assert ((p >= 0) & (p <= 1)).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_raw_and_bonferroni_and_keeps_the_order(raw: list[float]) -> None:
    corrected = holm(raw)
    assert (corrected >= np.array(raw)).all()
    assert (corrected <= np.minimum(np.array(raw) * len(raw), 1) + 1e-12).all()
    assert (np.diff(corrected[np.argsort(raw)]) >= 0).all()


def test_a_difference_at_the_critical_one_has_the_levels_p() -> None:
    tasks, methods = 12, 5
    quantile = critical_difference(tasks, methods) / np.sqrt(methods * (methods + 1) / (6 * tasks))
    p = stats.studentized_range.sf(quantile * np.sqrt(2), methods, np.inf)
    assert p == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 3), (2, 2)])
def test_too_few_tasks_or_methods(shape: tuple[int, int]) -> None:
    for test in (friedman, nemenyi):
        with pytest.raises(ValueError, match="at least 3 methods and 2 tasks"):
            test(np.ones(shape))
    with pytest.raises(ValueError, match="at least 2 tasks"):
        wilcoxon([1.0], [2.0])


def test_missing_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="without NaN"):
        mean_ranks([[1.0, np.nan]])
