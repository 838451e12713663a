"""How one parameter changes while training runs, where that is not left to the population's explore rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transform = Literal["linear", "log", "logit", "one_minus"]


@dataclass(frozen=True)
class Explore:
    """What a parameter's ``explore`` says; None: the explore rule's own choice.

    Args:
        factors: positive numbers, one of which is drawn for each step.
        resample: chance that the value is redrawn from its prior instead, 0 to 1.
        transform: what a factor multiplies: ``log`` the value, ``one_minus`` 1 - value, ``logit`` the odds
            value / (1 - value); ``linear`` moves the value by factor - 1 of its range.
    """

    factors: tuple[float, ...] | None = None
    resample: float | None = None
    transform: Transform | None = None


AS_THE_RULE = Explore()
"""Of a parameter that says nothing."""
