"""The acceptance test of any PBT: Figure 2 of its paper (Jaderberg et al. 2017, arXiv 1711.09846)."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.population.rules import Floats
from tests.orchestrator.population.toy_loop import table

STUCK = 1.2 - 0.9**2
"""Q of a worker whose gradient never moves the second coordinate."""


@pytest.fixture(scope="module")
def results() -> dict[str, Floats]:
    return table(seeds=30)


@pytest.mark.parametrize("mode", ["grid", "exploit only"])
def test_the_same_gradient_everywhere_moves_one_coordinate_only(
    results: dict[str, Floats], mode: str
) -> None:
    np.testing.assert_allclose(results[mode], STUCK, atol=1e-3)


@pytest.mark.parametrize("mode", ["explore only", "exploit only, h kept", "PBT, h kept", "PBT"])
def test_the_optimum_is_reached(results: dict[str, Floats], mode: str) -> None:
    assert np.median(results[mode]) >= 1.199
    assert np.percentile(results[mode], 5) >= 1.19


def test_copying_weights_alone_is_enough_whatever_the_seed(results: dict[str, Floats]) -> None:
    assert results["exploit only, h kept"].min() >= 1.1995
