"""Fronts that a file keeps, and what they are worth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.pareto_populations import hypervolumes, kept


def test_a_file_gives_the_fronts_of_the_same_study_alone(tmp_path: Path) -> None:
    file = tmp_path / "fronts.jsonl"
    assert kept(None, ["a"]) == kept(file, ["a"]) == {}
    rows = [
        {"study": ["a"], "method": "mo_pbt", "seed": 0, "front": [[1.0, 2.0]]},
        {"study": ["a", "seed=3"], "method": "mo_pbt", "seed": 1, "front": [[3.0, 4.0]]},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = kept(file, ["a"])
    assert found.keys() == {("mo_pbt", 0)}
    assert found["mo_pbt", 0].tolist() == [[1.0, 2.0]]


def test_hypervolumes_are_of_losses_scaled_by_all_fronts() -> None:
    """Between 0 and 1 in both losses, with the corner at 1.1, by hand."""
    fronts = {
        ("good", 0): np.array([[0.0, 10.0], [2.0, 0.0]]),  # the corners of the unit square
        ("bad", 0): np.array([[2.0, 10.0]]),
        ("good", 1): np.array([[1.0, 5.0]]),
    }
    found = hypervolumes(fronts)
    assert found["good"] == pytest.approx([100 * (1.1 * 0.1 + 0.1 * 1.0), 100 * 0.6**2])
    assert found["bad"] == pytest.approx([100 * 0.1**2])
