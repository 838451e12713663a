"""Critical-difference diagrams in the layout of Demšar (JMLR 7, 2006, section 3.2.2).

Mean ranks on an axis, the best on the left, methods named on both sides, and a bar over every group of
methods that do not differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.reporting.benchmark.view import View, group_name

ALPHA = 0.05
_LEVEL = 0.4
"""Distance between bars, in lines of text."""
_MARGIN = 0.02
"""What bars reach beyond their methods, as a share of the axis."""


@dataclass(frozen=True)
class Label:
    """A method's place: its mean rank on the axis, and the line of text that names it, down from the axis."""

    method: str
    rank: float
    side: str
    y: float

    @property
    def text(self) -> str:
        return f"{self.method} ({self.rank:.2f})"


@dataclass(frozen=True)
class Bar:
    """Methods that do not differ: from ``low`` to ``high`` mean rank, ``y`` lines of text below the axis."""

    methods: tuple[str, ...]
    low: float
    high: float
    y: float


@dataclass(frozen=True)
class Diagram:
    """A critical-difference diagram.

    Args:
        group: of tasks.
        title: what is compared.
        limits: ends of the axis, whole ranks.
        difference: the critical difference of mean ranks (Nemenyi).
        labels: best first.
        bars: from the axis down.
    """

    group: str
    title: str
    limits: tuple[int, int]
    difference: float
    labels: tuple[Label, ...]
    bars: tuple[Bar, ...]

    @property
    def depth(self) -> float:
        """Lines of text below the axis."""
        return max(label.y for label in self.labels)

    @property
    def edges(self) -> tuple[float, float]:
        """Where labels stand: a little beyond the ends of the axis, as bars may reach beyond them."""
        low, high = self.limits
        margin = 1.5 * _MARGIN * (high - low)
        return low - margin, high + margin

    @property
    def scale(self) -> str:
        """What the line over the axis says."""
        return f"critical difference {self.difference:.2f}"


def diagrams(view: View) -> list[Diagram]:
    """One per group that was tested."""
    tests = view.analysis.tests
    ranks = view.analysis.ranks
    drawn = []
    for test in tests[tests["group"].isin(view.groups)].itertuples():
        rows = ranks[ranks["group"] == test.group].dropna(subset="rank")
        title = f"{group_name(test.group)}: mean ranks on {test.tasks} tasks, 1 is best"
        means = dict(zip(rows["method"], rows["rank"].astype(float), strict=True))
        drawn.append(
            diagram(test.group, title, means, float(test.critical_difference), differ=test.p < ALPHA)
        )
    return drawn


def diagram(group: str, title: str, ranks: dict[str, float], difference: float, *, differ: bool) -> Diagram:
    """Lay out a diagram.

    Args:
        group, title: of the diagram.
        ranks: mean rank by method.
        difference: the critical difference.
        differ: whether the Friedman test found any difference; without, one bar joins all methods.
    """
    methods = sorted(ranks, key=lambda method: ranks[method])
    means = [ranks[method] for method in methods]
    bars = _bars(methods, means, difference if differ else math.inf)
    first = 1.2 + max((bar.y for bar in bars), default=0.0)
    half = math.ceil(len(methods) / 2)
    left = [Label(methods[i], means[i], "left", first + i) for i in range(half)]
    right = [
        Label(methods[i], means[i], "right", first + len(methods) - 1 - i) for i in range(half, len(methods))
    ]
    low = math.floor(means[0])
    high = max(math.ceil(means[-1]), low + 1, math.ceil(low + difference))
    return Diagram(group, title, (low, high), difference, (*left, *right), bars)


def groups(means: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """The largest groups of methods whose mean ranks lie less than ``difference`` apart.

    Args:
        means: ascending mean ranks.
        difference: the critical difference.

    Returns:
        First and last position of each group of at least two, ascending.
    """
    found: list[tuple[int, int]] = []
    for start, mean in enumerate(means):
        end = max(i for i in range(start, len(means)) if i == start or means[i] - mean < difference)
        if end > start and (not found or end > found[-1][1]):
            found.append((start, end))
    return found


def _bars(methods: Sequence[str], means: Sequence[float], difference: float) -> tuple[Bar, ...]:
    """Each group's bar, as near to the axis as it fits without touching another."""
    margin = _MARGIN * max(1.0, means[-1] - means[0])
    ends: list[float] = []
    bars = []
    for start, end in groups(means, difference):
        low, high = means[start] - margin, means[end] + margin
        level = next((i for i, taken in enumerate(ends) if taken + margin < low), len(ends))
        ends[level : level + 1] = [high]
        bars.append(Bar(tuple(methods[start : end + 1]), low, high, 0.5 + _LEVEL * level))
    return tuple(bars)
