"""Our statistics agree with those of other packages on random data; each is left out where it is missing."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis import statistics
from orchestrator.analysis.effects import SAMPLES, signed_rank_posterior
from orchestrator.randomness import stream


@pytest.mark.parametrize("draw", range(5))
def test_holm_agrees_with_statsmodels(draw: int) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = stream(draw, "p").random(12) ** 3
    assert statistics.holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1])


@pytest.mark.parametrize("draw", range(5))
def test_nemenyi_agrees_with_scikit_posthocs(draw: int) -> None:
    posthocs = pytest.importorskip("scikit_posthocs")
    # Without ties: scikit-posthocs ranks them, too, but corrects for none either.
    scores = stream(draw, "scores").random((14, 5))
    theirs = posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    assert statistics.nemenyi(scores) == pytest.approx(theirs, abs=2e-3)


@pytest.mark.parametrize(("draw", "tasks", "methods"), [(0, 8, 3), (1, 14, 5), (2, 40, 10), (3, 25, 4)])
def test_ranks_friedman_and_the_critical_difference_agree_with_autorank(
    draw: int, tasks: int, methods: int
) -> None:
    autorank = pytest.importorskip("autorank")
    pandas = pytest.importorskip("pandas")
    rng = stream(draw, "scores")
    scores = rng.lognormal(0.2 * np.arange(methods), 1.0, (tasks, methods))
    if draw == 3:  # with ties
        scores = np.round(scores)
    theirs = autorank.autorank(pandas.DataFrame(scores), order="ascending", force_mode="nonparametric")
    ranks = theirs.rankdf["meanrank"].sort_index().to_numpy()
    assert statistics.mean_ranks(scores) == pytest.approx(ranks)
    assert statistics.friedman(scores)[1] == pytest.approx(theirs.pvalue)
    assert statistics.critical_difference(tasks, methods) == pytest.approx(theirs.cd, rel=2e-3)


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.05, 0.4])
@pytest.mark.parametrize("tasks", [3, 12, 40])
def test_the_bayesian_signed_rank_test_agrees_with_baycomp(shift: float, tasks: int) -> None:
    baycomp = pytest.importorskip("baycomp")
    rng = stream(tasks, "differences", str(shift))
    first = rng.normal(size=tasks)
    second = first + shift + 0.4 * rng.normal(size=tasks)
    ours = signed_rank_posterior(first, second, rng, rope=0.1, samples=20 * SAMPLES)
    # Their scores are larger for better methods, and their first probability is the first method's.
    theirs = baycomp.SignedRankTest.probs(-first, -second, rope=0.1, nsamples=20 * SAMPLES, random_state=0)
    assert tuple(ours) == pytest.approx(tuple(theirs), abs=0.015)
    assert sum(ours) == pytest.approx(1.0)


def test_equal_methods_are_practically_equal() -> None:
    scores = np.linspace(0, 1, 20)
    assert signed_rank_posterior(scores, scores, stream(0, "equal")).equal == 1.0
