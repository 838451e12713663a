"""What tells methods apart: the same colour and dashes in every picture of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c8c8c")
"""Of Okabe and Ito's palette, which colour-blind people can tell apart; grey instead of its pale yellow."""

DASHES: tuple[tuple[str, Any], ...] = (
    ("solid", "-"),
    ("6px,3px", (0, (5, 2.5))),
    ("2px,2px", (0, (1.5, 1.5))),
    ("8px,2px,2px,2px", (0, (7, 1.8, 1.8, 1.8))),
)
"""For plotly and for matplotlib."""


@dataclass(frozen=True)
class Look:
    """A method's colour, and its dashes as plotly and matplotlib want them."""

    color: str
    dash: str
    linestyle: Any


def looks(methods: Sequence[str]) -> Mapping[str, Look]:
    """A look per method: eight colours, and from the ninth method on other dashes."""
    found = {}
    for place, method in enumerate(methods):
        dashes, color = divmod(place, len(COLORS))
        dash, linestyle = DASHES[dashes % len(DASHES)]
        found[method] = Look(COLORS[color], dash, linestyle)
    return found
