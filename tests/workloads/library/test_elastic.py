"""Sizes by hand, and one set of weights for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from search_spaces import ConfigurationError, build_space
from workloads.contract import Device
from workloads.library.elastic import MOST, Elastic, multiply_adds, trained_network
from workloads.library.fitting import digits


def test_multiply_adds_are_those_of_the_matrices() -> None:
    assert multiply_adds((0, 0, 0, 0)) == 64 * 48 + 48 * 10
    assert multiply_adds((1, 0, 0, 2)) == 64 * 48 + 48 * 10 + 2 * 48 * 12 + 2 * 48 * 24


def test_a_smaller_network_is_made_of_the_first_units() -> None:
    network = trained_network([((MOST,) * 4,)], 0)
    images = digits().test.inputs[:5]
    stem = torch.relu(network.stem(images.flatten(1)))
    assert torch.equal(network(images, (0, 0, 0, 0)), network.output(stem))
    small, (widen, narrow) = nn.Linear(48, 24), (network.widen[1], network.narrow[1])
    assert isinstance(widen, nn.Linear) and isinstance(narrow, nn.Linear)
    with torch.no_grad():
        small.weight.copy_(widen.weight[:24])
        small.bias.copy_(widen.bias[:24])
        hidden = torch.relu(small(stem))
        features = stem + hidden @ narrow.weight[:, :24].T + narrow.bias
    assert torch.allclose(network(images, (0, 2, 0, 0)), network.output(features), atol=1e-6)


def test_one_training_serves_all_sizes() -> None:
    workload = Elastic(steps=150)
    errors = [workload.error((size,) * 4, digits().validation) for size in range(MOST + 1)]
    # A network that was never trained at a size guesses: nine of ten are wrong.
    assert max(errors) < 0.2
    alone = trained_network([((MOST,) * 4,)] * 150, 0)
    images, targets = digits().validation
    unprepared = float((alone(images, (0,) * 4).argmax(-1) != targets).double().mean())
    assert errors[0] < unprepared
    found = workload.start({}, 0, Device()).advance(1)
    assert found == {"validation_error": errors[MOST], "multiply_adds": workload.objectives[1].reference}


def test_the_space_that_ships_is_the_workloads_own() -> None:
    path = Path(__file__).parents[3] / "conf" / "search_space" / "elastic.yaml"
    shipped = build_space(yaml.safe_load(path.read_text()))
    assert shipped.configuration_space == Elastic(steps=1).space.configuration_space


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"steps": 0}, "steps: expected at least 1"), ({"start_seed": -1}, "start_seed: expected 0 to")],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Elastic(**arguments)
