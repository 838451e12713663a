"""Pruning, rounding and sizes by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from search_spaces import ConfigurationError, build_space
from workloads.contract import Device
from workloads.library.compression import LAYERS, Compression, bits_of, pruned, quantised


@pytest.fixture(scope="module")
def workload() -> Compression:
    return Compression(width=16, steps=60)


def test_the_largest_weights_stay() -> None:
    weight = torch.tensor([[1.0, -4.0], [3.0, -2.0]])
    assert pruned(weight, 0.5).tolist() == [[0, -4], [3, 0]]
    assert pruned(weight, 0.0).tolist() == [[0, -4], [0, 0]]
    assert pruned(weight, 1.0).equal(weight)


def test_weights_are_rounded_to_steps_of_their_row() -> None:
    # Three bits: three steps on each side of zero, up to the largest of the row.
    weight = torch.tensor([[3.0, 1.4, -2.6], [0.3, 0.0, -0.16]])
    assert quantised(weight, 3) == pytest.approx(torch.tensor([[3.0, 1.0, -3.0], [0.3, 0.0, -0.2]]))
    assert quantised(torch.zeros(2, 2), 4).equal(torch.zeros(2, 2))
    assert quantised(weight, 32).equal(weight)


def test_eight_bits_are_torchs_own_per_channel_quantisation() -> None:
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    scales = weight.abs().amax(1) / 127
    zeros = torch.zeros(5, dtype=torch.int32)
    theirs = torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -127, 127)
    assert torch.allclose(quantised(weight, 8), theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("bits", "keep", "expected"),
    [
        (32, 1.0, 8 * 32 + 2 * 32),  # 8 weights, 2 biases
        (4, 1.0, 8 * 4 + 2 * 32 + 2 * 32),  # and 2 scales
        (4, 0.5, 4 * 4 + 8 + 2 * 32 + 2 * 32),  # 4 weights, and a bit for each place
    ],
)
def test_a_layer_takes_its_bits(bits: int, keep: float, expected: int) -> None:
    assert bits_of(torch.ones(2, 4), bits, keep) == expected


def test_without_compression_the_network_is_as_trained(workload: Compression) -> None:
    numbers = sum(weight.numel() for weight in workload.network.parameters())
    assert workload.kilobytes({}) == pytest.approx(numbers * 4 / 1024)
    assert workload.kilobytes({}) == workload.objectives[1].reference
    found = workload.start({}, 0, Device()).advance(1)
    least = {f"{layer}_keep": 0.0 for layer in LAYERS}
    assert found["validation_error"] < workload.start(least, 0, Device()).advance(1)["validation_error"]


def test_the_space_that_ships_is_the_workloads_own(workload: Compression) -> None:
    path = Path(__file__).parents[3] / "conf" / "search_space" / "compression.yaml"
    shipped = build_space(yaml.safe_load(path.read_text()))
    assert shipped.configuration_space == workload.space.configuration_space


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"width": 1}, "width: expected at least 2"), ({"start_seed": -1}, "start_seed: expected 0 to")],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Compression(**arguments)
