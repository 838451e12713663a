"""Maps, criteria and scores by hand, and known optima."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml

from search_spaces import build_space
from workloads.library.calibration import CRITERIA, MAPS, SCORES, Calibration, brier, ece, fitted, windows
from workloads.library.fitting import digits

PROBABILITIES = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.58, 0.42], [0.2, 0.8]], dtype=torch.float64)
CLASSES = torch.tensor([0, 1, 0, 1])
"""Answers 0, 0, 0, 1, of which the second is wrong."""


def test_errors_of_calibration_are_their_definition() -> None:
    # Five bins of a fifth: .6 and .58 share one, where half is right; .8 closes the bin from .6, .9 is alone.
    expected = (abs(0.6 + 0.58 - 1) + abs(0.8 - 1) + abs(0.9 - 1)) / 4
    assert float(ece(PROBABILITIES.log(), CLASSES, bins=5)) == pytest.approx(expected)
    squares = [2 * 0.1**2, 2 * 0.6**2, 2 * 0.42**2, 2 * 0.2**2]
    assert float(brier(PROBABILITIES.log(), CLASSES)) == pytest.approx(sum(squares) / 4)


def test_windows_are_of_neighbours_by_confidence() -> None:
    # By confidence: .58 right, .6 wrong, .8 right, .9 right.
    excess = [0.58 - 1, 0.6, 0.8 - 1, 0.9 - 1]
    means = [(one + other) / 2 for one, other in pairwise(excess)]
    found = float(windows(PROBABILITIES.log(), CLASSES, 2))
    assert found == pytest.approx(sum(mean**2 for mean in means) / 3)
    assert float(windows(PROBABILITIES.log(), CLASSES, 99)) == pytest.approx((sum(excess) / 4) ** 2)


@pytest.mark.parametrize("name", MAPS)
def test_no_parameters_change_nothing(name: str) -> None:
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert MAPS[name](logits, torch.zeros(20, dtype=torch.float64)) == pytest.approx(logits)


@pytest.mark.parametrize("criterion", ["likelihood", "brier"])
def test_a_temperature_that_was_put_in_is_found(criterion: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 10, generator=generator, dtype=torch.float64)
    targets = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
    # A network that is three times too sure of itself.
    found = fitted(
        MAPS["temperature"], lambda changed: CRITERIA[criterion](changed, targets, 50), 3 * logits, 0.0
    )
    assert float(found[0].exp()) == pytest.approx(1 / 3, rel=0.03)


def test_a_large_penalty_leaves_the_network_as_it_is() -> None:
    workload, test = Calibration(width=8, steps=60), digits().test
    kept = workload.scores({"map": "vector", "penalty": 1e6}, test)
    assert kept == pytest.approx(workload.scores(None, test), abs=1e-3)
    assert kept.keys() == SCORES.keys()
    changed = workload.scores({"map": "vector"}, test)
    assert changed["loss"] < kept["loss"]


def test_the_space_that_ships_is_the_workloads_own() -> None:
    path = Path(__file__).parents[3] / "conf" / "search_space" / "calibration.yaml"
    shipped = build_space(yaml.safe_load(path.read_text()))
    assert shipped.configuration_space == Calibration(width=8, steps=1).space.configuration_space
