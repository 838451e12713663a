"""Quadratic models of what was found at points of a search space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def quadratic_terms(points: Floats) -> Floats:
    """1, each coordinate, and each product of two, ``(n, (d + 1)(d + 2) / 2)`` of points ``(n, d)``."""
    full = np.column_stack([np.ones(len(points)), points])
    first, second = np.triu_indices(full.shape[1])
    return np.asarray(full[:, first] * full[:, second])
