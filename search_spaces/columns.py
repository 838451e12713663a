"""One coordinate of the unit cube: its parameter, and how values map to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from search_spaces.exploring import AS_THE_RULE, Explore

Floats = NDArray[np.float64]
Kind = Literal["float", "int", "categorical", "ordinal"]


@dataclass(frozen=True)
class Column:
    """A parameter that varies, as a coordinate in [0, 1].

    Floats map affinely, in their logarithm where ``log`` is true. Every integer k owns the bin from k - .5 to
    k + .5 on the same scale; every choice i of a categorical or ordinal parameter owns the bin from i / size
    to (i + 1) / size.

    Args:
        name: the parameter's name.
        kind: ``float``, ``int``, ``categorical`` or ``ordinal``.
        low: smallest value in the parameter's own units; 0 for categorical and ordinal.
        high: largest value; ``size - 1`` for categorical and ordinal.
        log: whether the coordinate is linear in the logarithm of the value.
        size: number of values of a categorical or ordinal parameter; 0 for numbers.
        mutable: whether training may go on with another value.
        explore: how it changes then, where the definition says so.
    """

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    size: int = 0
    mutable: bool = False
    explore: Explore = AS_THE_RULE

    def to_units(self, numbers: Floats) -> Floats:
        """Coordinates of numbers between ``low`` and ``high`` (indices of choices), NaN kept."""
        start, stop = self._edges()
        scaled = np.log(numbers) if self.log else numbers
        return np.clip((scaled - start) / (stop - start), 0.0, 1.0)

    def from_units(self, units: Floats) -> Floats:
        """Numbers at coordinates between 0 and 1; whole ones except for floats."""
        start, stop = self._edges()
        scaled = start + units * (stop - start)
        numbers = np.exp(scaled) if self.log else scaled
        if self.kind != "float":
            numbers = np.floor(numbers + 0.5)
        return np.clip(numbers, self.low, self.high)

    def _edges(self) -> tuple[float, float]:
        """The values at the coordinates 0 and 1, or their logarithms where ``log`` is true."""
        half = 0.0 if self.kind == "float" else 0.5
        start, stop = self.low - half, self.high + half
        return (math.log(start), math.log(stop)) if self.log else (start, stop)
