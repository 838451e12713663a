"""A study in which nothing works ends early, and no other does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestrator.search.alike import ATTEMPTS, VALUES, FailingAlike

BOOM = "FileNotFoundError: /data/part-{}.bin"


def failing(reasons: Sequence[str], ahead: int = 0) -> FailingAlike:
    """Trials that fail one after another for ``reasons``; ``ahead`` more are handed out before each."""
    alike = FailingAlike()
    for number in range(len(reasons) + ahead):
        alike.handed_out(number)
    for number, reason in enumerate(reasons):
        alike.failed(number, reason)
    return alike


def test_the_same_failure_of_the_first_trials_is_a_verdict() -> None:
    reasons = [BOOM.format(number) for number in range(ATTEMPTS)]
    assert failing(reasons[:-1]).verdict() is None
    last = BOOM.format(ATTEMPTS - 1)
    assert failing(reasons).verdict() == f"the first {ATTEMPTS} trials failed alike: {last}"
    assert failing(reasons, ahead=5).verdict() is not None, "those that run are later ones"


def test_values_that_are_not_finite_take_longer() -> None:
    reasons = [f"not a finite number: loss = {value}" for value in ("nan", "inf") * VALUES][:VALUES]
    assert failing(reasons[:-1]).verdict() is None
    assert failing(reasons).verdict() is not None


@pytest.mark.parametrize("other", ["ValueError: no", "not a finite number: loss = nan"])
def test_different_failures_are_none(other: str) -> None:
    for place in range(ATTEMPTS):
        reasons = [BOOM] * (ATTEMPTS + 5)
        reasons[place] = other
        assert failing(reasons).verdict() is None


def test_one_trial_that_works_settles_it() -> None:
    alike = failing([BOOM] * 4)
    alike.worked()
    for number in range(4, 50):
        alike.handed_out(number)
        alike.failed(number, BOOM)
        assert alike.verdict() is None


def test_trials_that_fail_at_once_are_no_verdict_while_earlier_ones_train() -> None:
    alike = FailingAlike()
    for number in range(100):
        alike.handed_out(number)
    for number in range(3, 100, 2):
        alike.failed(number, BOOM)
        assert alike.verdict() is None


def test_trials_that_are_lost_again_and_again_are_no_verdict_before_there_are_three() -> None:
    alike = FailingAlike()
    for number in range(2):
        for _ in range(ATTEMPTS):
            alike.handed_out(number)
            alike.failed(number, "its process died")
    assert alike.verdict() is None
    alike.failed(2, "its process died")
    assert alike.verdict() == "the first 3 trials failed alike: its process died"
