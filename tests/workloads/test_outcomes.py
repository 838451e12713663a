"""Metrics are numbers, whatever a user's training returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from workloads.outcomes import numbers


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.float64(0.5), torch.tensor(0.5), torch.tensor([0.5]), np.array(0.5)]
)
def test_numbers_of_libraries_are_taken(value: Any) -> None:
    assert numbers({"loss": value, "more": True}) == {"loss": 0.5, "more": 1.0}


@pytest.mark.parametrize(
    "metrics",
    [
        None,
        "0.5",
        0.5,
        [("loss", 0.5)],
        torch.tensor(0.5),
        {"loss": "0.5"},
        {"loss": b"1"},
        {"loss": None},
        {"loss": [0.5]},
        {"loss": torch.tensor([0.5, 0.5])},
        {"loss": np.array([0.5, 0.5])},
        {"loss": 10**400},
        {"loss": 1j},
        {3: 0.5},
    ],
    ids=repr,
)
def test_everything_else_is_named_in_one_line(metrics: Any) -> None:
    with pytest.raises(TypeError, match=r"\Aexpected [^\n]{1,200}\Z"):
        numbers(metrics)
