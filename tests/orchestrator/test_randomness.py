"""Named streams: the same name gives the same numbers, another name others."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.randomness import derived_seed, stream, user_seed

NAMES = st.lists(st.text(max_size=8) | st.integers(0, 2**31), min_size=1, max_size=3)


@given(st.integers(0, 2**63), NAMES)
def test_a_stream_is_a_function_of_seed_and_name(seed: int, names: list[str | int]) -> None:
    np.testing.assert_array_equal(stream(seed, *names).random(4), stream(seed, *names).random(4))
    assert 0 <= derived_seed(seed, *names) < 2**63


def test_streams_of_different_names_are_unrelated() -> None:
    draws = np.array([stream(0, "member", member).random(200) for member in range(50)])
    correlations = np.corrcoef(draws)[np.triu_indices(50, 1)]
    assert abs(correlations.mean()) < 0.01
    assert len({derived_seed(0, "member", member) for member in range(10_000)}) == 10_000


def test_seeds_for_users_fit_what_numpy_and_others_take() -> None:
    seeds = [user_seed(study, "member", number) for study in (0, 2**40) for number in range(50)]
    assert all(0 <= seed < 2**32 for seed in (*seeds, user_seed(2**40)))
    assert len(set(seeds)) == len(seeds)
    assert user_seed(7) == 7
