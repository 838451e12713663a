"""Signs flip in one place."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.objective import MissingMetricError, in_own_direction, losses
from workloads.contract import Objective

ERROR, ACCURACY = Objective("error"), Objective("accuracy", "max")


def test_everything_inside_minimises() -> None:
    values = losses({"accuracy": 0.9, "error": 0.2, "else": 1.0}, [ERROR, ACCURACY])
    np.testing.assert_array_equal(values, [0.2, -0.9])
    assert in_own_direction(values[1], ACCURACY) == 0.9


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_unknown_in_either_direction(value: float) -> None:
    assert np.isnan(losses({"error": value, "accuracy": value}, [ERROR, ACCURACY])).all()


def test_a_missing_metric_is_named_with_those_that_are_there() -> None:
    with pytest.raises(MissingMetricError, match=r"'accuracy'.*\['error'\]"):
        losses({"error": 1.0}, [ERROR, ACCURACY])
