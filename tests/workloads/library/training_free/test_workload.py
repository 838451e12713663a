"""A mix of scores chooses an architecture, and that one is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from search_spaces import ConfigurationError, build_space
from workloads.contract import Device
from workloads.library.training_free.networks import ARCHITECTURES, errors, fresh
from workloads.library.training_free.scores import SCORES, table
from workloads.library.training_free.workload import TrainingFree


def test_a_mix_trains_the_architecture_that_it_ranks_first() -> None:
    workload = TrainingFree(steps=5)
    found = workload.start({"snip_weight": 1.0}, 0, Device()).advance(1)
    best = int(table(0)[:, list(SCORES).index("snip")].argmax())
    error = errors(ARCHITECTURES[best], 5, 0)
    assert found == {"validation_error": error.validation, "architecture": best}
    # Twice the weight, or another seed of the trial, is the same.
    assert workload.start({"snip_weight": 2.0}, 7, Device()).advance(1) == found


def test_training_lowers_the_error() -> None:
    architecture = max(ARCHITECTURES, key=lambda one: (one.width, one.activation == "relu", -one.depth))
    assert errors(architecture, 60, 0).test < errors(architecture, 1, 0).test - 0.3


def test_starts_differ() -> None:
    one, other = (fresh(ARCHITECTURES[0], start).output.weight for start in (0, 1))
    assert not torch.equal(one, other)


def test_the_space_that_ships_is_the_workloads_own() -> None:
    path = Path(__file__).parents[4] / "conf" / "search_space" / "training_free.yaml"
    shipped = build_space(yaml.safe_load(path.read_text()))
    assert shipped.configuration_space == TrainingFree(steps=1).space.configuration_space


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"steps": 0}, "steps: expected at least 1"), ({"start_seed": -1}, "start_seed: expected 0 to")],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TrainingFree(**arguments)
