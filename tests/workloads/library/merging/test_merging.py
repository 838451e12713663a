"""Merges against numbers computed by hand, the methods on functions whose best is known, and the workload."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import pytest
import torch
import yaml
from scipy.special import expit
from torch import Tensor, nn

from search_spaces import ConfigurationError, build_space
from workloads.contract import Device
from workloads.library.merging.methods import METHODS, ada_merging, frank_wolfe, surrogate, task_arithmetic
from workloads.library.merging.models import Models, Recipe, models_of
from workloads.library.merging.workload import LAYERS, Merging
from workloads.torch import Batch, Splits

SMALL: dict[str, Any] = {"width": 4, "pretraining": 5, "finetuning": 10}


class Known(Models):
    """Two tasks of which everything is known as a function of the coefficients."""

    def __init__(self, target: tuple[float, float]) -> None:
        layers = {"first.weight": torch.zeros(1), "second.weight": torch.zeros(1)}
        nothing = Batch(torch.empty(0), torch.empty(0))
        super().__init__(layers, layers, (Splits(nothing, nothing, nothing),) * 2, nn.Module())
        self.__dict__["target"] = torch.tensor(target)

    def loss(self, coefficients: Tensor, split: str) -> Tensor:
        target: Tensor = self.__dict__["target"]
        target = target if coefficients.ndim == 1 else target.unsqueeze(1)
        return (coefficients - target).square().mean()

    entropy = loss

    def errors(self, coefficients: Tensor, split: str) -> Tensor:
        return self.loss(coefficients, split).expand(2)


def test_a_merge_is_the_start_and_a_weighted_sum_of_what_was_learned() -> None:
    models = Models(
        start={"hidden.weight": torch.tensor([1.0, 2.0]), "output.bias": torch.tensor([10.0])},
        vectors={
            "hidden.weight": torch.tensor([[1.0, 0.0], [0.0, 4.0]]),
            "output.bias": torch.tensor([[2.0], [-4.0]]),
        },
        data=(),
        module=nn.Module(),
    )
    merged = models.merged(torch.tensor([0.5, 0.25]))
    assert [merged[name].tolist() for name in merged] == [[1.5, 3.0], [10.0]]
    by_layer = models.merged(torch.tensor([[0.5, 1.0], [0.25, 0.0]]))
    assert [by_layer[name].tolist() for name in by_layer] == [[1.5, 3.0], [12.0]]


def test_each_network_knows_its_own_task_best() -> None:
    models = models_of(Recipe(("upright", "inverted"), width=16, pretraining=0, finetuning=100, seed=0))
    errors = torch.stack([models.errors(row, "test") for row in torch.eye(2)])
    assert (errors.argmin(0) == torch.arange(2)).all()
    assert errors.diagonal().max() < 0.2
    assert errors.flip(0).diagonal().min() > 0.5
    assert models.layers == LAYERS


def test_task_arithmetic_takes_the_best_scale() -> None:
    assert task_arithmetic(Known((0.35, 0.35)), "validation").tolist() == pytest.approx([0.35, 0.35])


def test_ada_merging_finds_the_least_entropy_within_its_bounds() -> None:
    assert ada_merging(Known((0.5, 0.4)), "validation").tolist() == pytest.approx([0.5, 0.4], abs=0.02)
    layerwise = ada_merging(Known((0.5, -3.0)), "validation", layerwise=True, steps=400)
    assert layerwise.tolist() == [pytest.approx([0.5, 0.5], abs=0.02), [0.0, 0.0]]


@pytest.mark.parametrize(("target", "found"), [((0.2, 0.5), (0.2, 0.5)), ((1.0, 1.0), (0.5, 0.5))])
def test_frank_wolfe_finds_the_best_within_the_hull(
    target: tuple[float, float], found: tuple[float, float]
) -> None:
    assert frank_wolfe(Known(target), "train").tolist() == pytest.approx(found, abs=0.03)


def test_a_step_of_frank_wolfe_goes_to_the_corner_that_the_gradient_names() -> None:
    # From (1/2, 1/2) towards (0, 1): two thirds of the way to the second network.
    assert frank_wolfe(Known((0.0, 1.0)), "train", steps=1).tolist() == pytest.approx([1 / 6, 5 / 6])


def test_a_surrogate_learns_a_sigmoid_of_a_quadratic() -> None:
    def errors(rows: np.ndarray) -> np.ndarray:
        first, second = rows[..., 0], rows[..., 1]
        return np.stack([expit(1 - 3 * first + first * second), expit(2 * first**2 - second - 1)], -1)

    found = surrogate(errors, 2, np.random.default_rng(0))
    assert found.sampled.shape == (12, 2)
    new = np.random.default_rng(1).uniform(size=(20, 2))
    assert found.predicted(new) == pytest.approx(errors(new), abs=1e-4)
    front = found.front(256)
    assert moocore.is_nondominated(found.predicted(front)).all()
    assert 1 < len(front) < 256


@pytest.mark.parametrize("name", METHODS)
def test_a_method_finds_a_merge_that_a_search_could_find(name: str) -> None:
    models = models_of(Recipe(("upright", "turned"), width=4, pretraining=5, finetuning=5, seed=0))
    few = [Splits(*(Batch(*(part[:20] for part in split)) for split in data)) for data in models.data]
    models = replace(models, data=tuple(few))
    found = METHODS[name](models, "validation")
    assert found.shape in ((2,), (2, 3))
    assert found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("layerwise", [False, True])
def test_the_workload_reports_the_merges_errors(layerwise: bool) -> None:
    workload = Merging(layerwise=layerwise, **SMALL)
    config = workload.space.sample(1, np.random.default_rng(0))[0]
    metrics = workload.start(config, 0, Device()).advance(1)
    errors = workload.models.errors(workload.coefficients(config), "validation")
    assert [metrics[f"validation_{task}"] for task in workload.recipe.tasks] == errors.tolist()
    assert metrics["validation_error"] == pytest.approx(float(errors.mean()))
    assert len(config) == (9 if layerwise else 3)


def test_a_coefficient_that_the_space_leaves_out_is_0() -> None:
    space = build_space({"parameters": {"turned": {"type": "float", "low": 0.5, "high": 1.0}}})
    assert Merging(space, **SMALL).coefficients({"turned": 0.75}).tolist() == [0, 0.75, 0]


def test_the_space_that_ships_is_the_workloads_own() -> None:
    path = Path(__file__).parents[4] / "conf" / "search_space" / "merging.yaml"
    assert (
        build_space(yaml.safe_load(path.read_text())).configuration_space
        == Merging().space.configuration_space
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": ["upright"]}, "tasks: expected at least two of 'upright'"),
        ({"tasks": ["upright", "upright"]}, "tasks: expected at least two"),
        ({"tasks": ["upright", "blurred"]}, "tasks: expected at least two"),
        ({"width": 1}, "width: expected at least 2, got 1"),
        ({"start_seed": 2**63}, "start_seed: expected 0 to"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Merging(**arguments)
