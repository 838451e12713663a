"""Signs flip here and nowhere else: everything inside the program minimises."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workloads.contract import Metrics, Objective


class MissingMetricError(ValueError):
    """A workload did not report a metric that the study optimises."""


def losses(metrics: Metrics, objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Objective values as quantities to minimise, shape ``(m,)``; NaN where a value is not finite.

    Raises:
        MissingMetricError: an objective is not among ``metrics``; the message names those that are.
    """
    values = np.empty(len(objectives))
    for column, objective in enumerate(objectives):
        if objective.name not in metrics:
            raise MissingMetricError(
                f"the workload did not report {objective.name!r}; it reported {sorted(metrics) or 'nothing'}"
            )
        value = float(metrics[objective.name])
        values[column] = sign(objective) * value if math.isfinite(value) else math.nan
    return values


def in_own_direction(loss: float, objective: Objective) -> float:
    """An inside value back in the metric's own direction."""
    return sign(objective) * loss


def sign(objective: Objective) -> int:
    """+1 for an objective to minimise, -1 for one to maximise."""
    return 1 if objective.direction == "min" else -1
