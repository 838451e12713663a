"""Scores by hand, on networks small enough for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from workloads.library.training_free.networks import ARCHITECTURES, Architecture, Network, fresh
from workloads.library.training_free.scores import (
    SCORES,
    fisher,
    gradient_norm,
    grasp,
    jacobian,
    order,
    scaled,
    snip,
    synflow,
    table,
)
from workloads.torch import Batch


@pytest.fixture
def linear() -> nn.Module:
    """Logits (x, 2 x + y) of two numbers x and y."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False)).double()
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, 0.0], [2.0, 1.0]]))
    return network


@pytest.fixture
def batch() -> Batch:
    """One image of the pixels 1 and 2, whose logits are 1 and 4, of the first class."""
    return Batch(torch.tensor([[[[1.0, 2.0]]]], dtype=torch.double), torch.tensor([0]))


SURE = 1 / (1 + math.exp(-3))
"""The probability of the second class; the gradient by the logits is minus and plus that."""


def test_first_order_scores_are_those_of_the_gradient(linear: nn.Module, batch: Batch) -> None:
    # The gradient by the matrix is (-SURE, SURE) times (1, 2).
    assert gradient_norm(linear, batch) == pytest.approx(SURE * math.sqrt(10))
    assert snip(linear, batch) == pytest.approx(SURE * (1 * 1 + 2 * 1 + 1 * 2))


def test_fisher_counts_activations_times_gradients_for_each_weight(linear: nn.Module, batch: Batch) -> None:
    assert fisher(linear, batch) == pytest.approx(2 * ((1 * SURE) ** 2 + (4 * SURE) ** 2) / 2)


def test_grasp_is_minus_the_weights_times_the_hessian_times_the_gradient(
    linear: nn.Module, batch: Batch
) -> None:
    weight, step = linear[1].weight, 1e-5

    def gradient(values: torch.Tensor) -> torch.Tensor:
        logits = batch.inputs.flatten(1) @ values.T
        slope = torch.softmax(logits, 1) - torch.tensor([[1.0, 0.0]])
        return slope.T @ batch.inputs.flatten(1)

    there = gradient(weight.detach())
    curved = (gradient(weight.detach() + step * there) - gradient(weight.detach() - step * there)) / (
        2 * step
    )
    assert grasp(linear, batch) == pytest.approx(-float((weight * curved).sum().detach()), rel=1e-6)


def test_synflow_is_the_flow_once_for_each_layer(batch: Batch) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 0.0]]))
        network[3].weight.copy_(torch.tensor([[-1.0, 2.0]]))
    before = [weight.clone() for weight in network.parameters()]
    # |1| + |-2| = 3 and 3 units, which weigh 1 and 2: a flow of 9.
    assert synflow(network, batch) == pytest.approx(2 * 9)
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_synflow_leaves_normalisation_out() -> None:
    batch = Batch(torch.ones(1, 1, 8, 8), torch.tensor([0]))
    plain = fresh(Architecture(2, 4, "relu", False, False), 0)
    normalised = fresh(Architecture(2, 4, "relu", True, False), 0)
    normalised.load_state_dict({**normalised.state_dict(), **plain.state_dict()})
    assert synflow(normalised, batch) == pytest.approx(synflow(plain, batch))


def test_gradients_that_are_all_alike_score_least() -> None:
    pixels = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    batch = Batch(pixels, torch.tensor([0, 1, 2, 3]))
    alike = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()
    found = jacobian(alike, Batch(pixels.double(), batch.targets))
    # Correlations of 1: the eigenvalues are 4 and three zeros.
    assert found == pytest.approx(
        -(math.log(4 + 1e-5) + 1 / (4 + 1e-5) + 3 * (math.log(1e-5) + 1e5)), rel=1e-6
    )
    assert jacobian(fresh(Architecture(1, 32, "relu", False, False), 0), batch) > found


def test_an_image_that_moves_nothing_has_no_score() -> None:
    dead = fresh(Architecture(1, 4, "relu", False, False), 0)
    with torch.no_grad():
        dead.hidden[0].bias.fill_(-100.0)
    assert math.isnan(jacobian(dead, Batch(torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]))))


def test_scores_are_scaled_column_by_column() -> None:
    values = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, 2.0], [2.0, 5.0, 4.0], [2.0, 5.0, -np.inf]])
    # What is not finite has the median, 3 of 2 and 4: half way, and no weight prefers it.
    assert scaled(values).tolist() == [[0.0, 0.0, 0.5], [1.0, 0.0, 0.0], [0.5, 0.0, 1.0], [0.5, 0.0, 0.5]]


def test_the_order_is_that_of_the_weighted_sum() -> None:
    scores = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.6], [0.5, 0.6]])
    assert order(scores, [1.0, 0.0]).tolist() == [1, 2, 3, 0]
    assert order(scores, [1.0, 1.0]).tolist() == [2, 3, 0, 1]
    assert order(scores, [-1.0, 0.0]).tolist() == [0, 2, 3, 1]


def test_all_architectures_are_scored_once() -> None:
    found = table(0)
    assert found.shape == (len(ARCHITECTURES), len(SCORES)) == (320, 6)
    assert len(set(ARCHITECTURES)) == 320
    assert found.min() == 0 and np.array_equal(found.max(0), np.ones(6))
    assert table(0) is found


def test_skips_add_what_comes_in() -> None:
    network = Network(Architecture(2, 4, "tanh", False, True))
    images = torch.randn(3, 1, 8, 8)
    first = torch.tanh(network.hidden[0](images.flatten(1)))
    assert torch.allclose(network(images), network.output(first + torch.tanh(network.hidden[1](first))))
