"""How TuRBO's trust region grows, shrinks and is given up."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.optimizers.score import UNKNOWN, Score
from orchestrator.optimizers.trust_region import FIRST, LARGEST, SMALLEST, TrustRegion, patience

START = TrustRegion(Score(0.0, 1.0), patience=4)


def after(region: TrustRegion, *losses: float) -> TrustRegion:
    for loss in losses:
        region = region.after(Score(0.0, loss))
    return region


def test_three_improvements_in_a_row_double_it_up_to_the_largest() -> None:
    assert after(START, 0.9, 0.8).length == FIRST
    grown = after(START, 0.9, 0.8, 0.7)
    assert grown == TrustRegion(Score(0.0, 0.7), 4, length=2 * FIRST)
    assert after(grown, 0.6, 0.5, 0.4).length == LARGEST


def test_failures_in_a_row_halve_it_until_it_is_given_up() -> None:
    assert after(START, 2.0, 2.0, 2.0).length == FIRST
    assert after(START, 2.0, 2.0, 2.0, 0.9, 2.0, 2.0, 2.0).length == FIRST
    shrunk = after(START, *[2.0] * 4)
    assert shrunk == replace(START, length=FIRST / 2)
    steps = 0
    while not shrunk.exhausted:
        shrunk, steps = after(shrunk, *[2.0] * 4), steps + 1
    assert shrunk.length < SMALLEST <= 2 * shrunk.length


def test_a_gain_that_is_hardly_one_is_a_failure() -> None:
    assert after(START, 0.9999).failures == 1
    assert after(START, 0.998).successes == 1


@given(st.floats(0.001, 10), st.floats(-10, 10))
def test_a_smaller_violation_is_better_whatever_the_loss(violation: float, loss: float) -> None:
    infeasible = TrustRegion(Score(violation, 0.0), 4)
    assert infeasible.after(Score(violation / 2, loss)).successes == 1
    assert infeasible.after(Score(0.0, loss)).best == Score(0.0, loss)
    assert START.after(Score(violation, loss)).failures == 1
    assert START.after(UNKNOWN).failures == 1


def test_patience_grows_with_the_parameters() -> None:
    assert [patience(dim) for dim in (1, 4, 20)] == [4, 4, 20]
