"""DEHB's rules over arrays, and which fidelity gets what."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.optimizers.dehb import Dehb
from orchestrator.optimizers.differential import best_rows, crossed, inside, mutant
from orchestrator.optimizers.score import UNKNOWN, Score
from orchestrator.trial import Suggestion, Trial
from search_spaces import build_space
from workloads import Fidelity, Objective

SPACE = build_space({"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "abc"}})
ONE = (Objective("loss"),)


def dehb(seed: int = 0) -> Dehb:
    return Dehb(SPACE, ONE, seed, Fidelity("epoch", 1, 9))


def loss(suggestion: Suggestion) -> float:
    return sum((float(value) - 0.3) ** 2 for value in suggestion.config.values())


def go_on(optimizer: Dehb, trials: int) -> list[Suggestion]:
    seen = []
    for _ in range(trials):
        (suggestion,) = optimizer.ask()
        optimizer.tell([Trial(suggestion, (loss(suggestion),))])
        seen.append(suggestion)
    return seen


@given(seed=st.integers(0, 2**32), rows=st.integers(3, 9), dim=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_a_child_has_at_least_one_coordinate_of_the_mutant_and_lies_in_the_cube(
    seed: int, rows: int, dim: int
) -> None:
    rng = np.random.default_rng(seed)
    pool, target = rng.random((rows, dim)), rng.random(dim)
    other = mutant(pool, 0.5, rng)
    child = crossed(target, other, 0.0, rng)
    assert (child != target).sum() <= 1 and (child == other).any()
    assert np.array_equal(crossed(target, other, 1.0, rng), other)
    repaired = inside(other, rng)
    kept = (other >= 0) & (other <= 1)
    assert ((repaired >= 0) & (repaired <= 1)).all()
    assert np.array_equal(repaired[kept], other[kept])


def test_a_mutant_is_made_of_three_different_individuals() -> None:
    pool = np.array([[0.0], [1.0], [10.0]])
    found = {float(mutant(pool, 0.5, np.random.default_rng(seed))[0]) for seed in range(60)}
    assert found == {0 + 0.5 * 9, 0 - 0.5 * 9, 1 + 0.5 * 10, 1 - 0.5 * 10, 10 + 0.5, 10 - 0.5}


def test_the_best_come_first_and_those_without_a_result_last() -> None:
    scores = [UNKNOWN, Score(0.0, 2.0), Score(1.0, 0.0), Score(0.0, 1.0)]
    assert best_rows(scores, 4) == [3, 1, 2, 0]


def test_the_first_round_of_brackets_is_successive_halving() -> None:
    seen = go_on(dehb(), 13)
    assert [one.fidelity for one in seen] == [1] * 9 + [3] * 3 + [9]
    ranked = sorted(seen[:9], key=loss)
    assert [one.config for one in seen[9:12]] == [one.config for one in ranked[:3]]
    assert seen[12].config == ranked[0].config


def test_later_rounds_have_children_at_every_fidelity() -> None:
    optimizer = dehb()
    first = go_on(optimizer, 13 + 6 + 3)
    later = go_on(optimizer, 13)
    assert [one.fidelity for one in later] == [1] * 9 + [3] * 3 + [9]
    known = [one.config for one in first]
    assert not any(one.config in known for one in later)


def test_a_new_bracket_begins_where_the_others_wait() -> None:
    suggestions = dehb().ask(12)
    assert [one.fidelity for one in suggestions] == [1] * 9 + [3] * 3


def test_it_comes_to_the_optimum() -> None:
    full = [loss(one) for one in go_on(dehb(), 200) if one.fidelity == 9]
    assert min(full) < 0.005
