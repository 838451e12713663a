"""How values are laid out along the axes of plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.contract import Objective

Floats = NDArray[np.float64]

LOG_RATIO = 30.0
"""Positive values that span more than this factor are drawn on a logarithmic axis."""
OUTLIER_RATIO = 3.0
"""A linear axis is cut to the bulk of the values when all of them span more than this many times as much."""


def objective_label(objective: Objective) -> str:
    """An objective with the direction that is better."""
    return f"{objective.name} ({'higher' if objective.direction == 'max' else 'lower'} is better)"


def logarithmic(values: Floats, objective: Objective) -> bool:
    """Whether an objective's values are drawn on a logarithmic axis: a loss that spans decades."""
    finite = values[np.isfinite(values)]
    decades = bool(finite.size and finite.min() > 0 and finite.max() > LOG_RATIO * finite.min())
    return objective.direction == "min" and decades


def bulk(values: Floats, best: Floats) -> tuple[float, float] | None:
    """The range that shows the best and nearly everybody, where a few far values would squash the rest."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    shown = np.concatenate([np.percentile(finite, [2, 98]), best[np.isfinite(best)]])
    low, high = float(shown.min()), float(shown.max())
    if np.ptp(finite) <= OUTLIER_RATIO * (high - low) or high == low:
        return None
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def categories_of(values: Sequence[Any]) -> tuple[str, ...] | None:
    """Names in order of first appearance (False before True) where not all values are numbers."""
    if all(isinstance(value, bool) for value in values):
        return ("False", "True") if values else None
    if any(isinstance(value, (str, bool)) for value in values):
        return tuple(dict.fromkeys(map(str, values)))
    return None


def numbering(categories: tuple[str, ...] | None) -> Callable[[Any], float]:
    """What places a value on an axis: itself, or its category's position; NaN for no value."""
    if categories is None:
        return lambda value: np.nan if value is None else float(value)
    places = {name: float(place) for place, name in enumerate(categories)}
    return lambda value: np.nan if value is None else places[str(value)]
