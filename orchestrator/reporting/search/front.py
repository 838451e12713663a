"""The objectives of all trials against each other, with the Pareto set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from orchestrator.objective import sign
from orchestrator.pareto import nondominated, staircase
from orchestrator.reporting.document import captioned
from orchestrator.reporting.figure import Figure
from orchestrator.reporting.scales import Floats, bulk
from orchestrator.reporting.search.front_charts import Front, flat, pairs, solid
from orchestrator.reporting.search.overview import Axis, Overview
from orchestrator.reporting.search.style import (
    ALL,
    INFEASIBLE,
    KNEE,
    PARETO,
    REFERENCE,
    front_name,
    new_figure,
    reference_name,
    rings,
)
from orchestrator.reporting.style import logarithmic_axis, plain
from orchestrator.search.history.history import SearchHistory

MOST_PAIRED = 4
"""With more objectives than this, no pairs are drawn."""
FAR = 0.75
"""A reference point is drawn if it lies at most this many times an axis' length beyond its end."""
EARLIER = (0.25, 0.5)
"""The front is also shown as it was after these shares of the trials."""


def describe(view: Overview) -> tuple[Front, ...] | None:
    """The attained boundaries, the last one first; without any where the objectives are not two."""
    if not (view.known and 2 <= len(view.objectives) <= MOST_PAIRED):
        return None
    return attained(view.history) if len(view.objectives) == 2 else ()


def attained(history: SearchHistory) -> tuple[Front, ...]:
    """The boundary of what the Pareto set of two objectives attains: now, and after earlier trials."""
    losses, violations = history.archive.losses, history.archive.violations
    signs = np.array([sign(objective) for objective in history.start.objectives])
    found = []
    for share in (1.0, *EARLIER[::-1]):
        count = round(share * len(losses))
        points = losses[:count][nondominated(losses[:count], violations[:count])]
        label = "attained front" if share == 1.0 else f"after {count} trials"
        if len(points):
            found.append(Front(label, signs * staircase(points, history.corner)))
    return tuple(found)


def picture(view: Overview, fronts: Sequence[Front]) -> Picture:
    """One panel per pair of objectives."""
    pairs = [*combinations(range(len(view.objectives)), 2)]
    columns = min(3, len(pairs))
    rows = math.ceil(len(pairs) / columns)
    width, height = (8.0, 4.8) if columns == 1 else (5.0 * columns, 4.3 * rows)
    figure = new_figure(view, width, 1.0 + height)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (first, second) in zip(axes, pairs, strict=True):
        x, y = view.objectives[first], view.objectives[second]
        _scatter(axis, view, fronts, x, y)
        _scale(axis, view, x, y)
        _reference(axis, view.reference[[first, second]], reference_name(view))
        plain(axis)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _scatter(axis: Axes, view: Overview, fronts: Sequence[Front], x: Axis, y: Axis) -> None:
    def points(rows: Floats | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[Floats, Floats]:
        return x.values[rows], y.values[rows]

    if len(x.early):
        rings(axis, view, x.early, y.early)
    others = points(view.feasible & ~view.pareto)
    axis.scatter(*others, s=16, color=ALL, alpha=0.7, linewidths=0, label="trials")
    if not view.feasible.all():
        bad = points(~view.feasible)
        axis.scatter(*bad, s=18, color=INFEASIBLE, marker="x", linewidths=0.9, label="infeasible trials")
    for drawn, dashes in zip(fronts, ("-", "--", ":"), strict=False):
        axis.plot(*drawn.corners.T, dashes, color=PARETO, linewidth=1.0, alpha=0.75, label=drawn.label)
    axis.scatter(*points(view.pareto), s=34, color=PARETO, zorder=3, label=front_name(view))
    if view.knee is not None:
        axis.scatter(
            x.values[view.knee],
            y.values[view.knee],
            s=130,
            facecolors="none",
            edgecolors=KNEE,
            linewidths=2,
            zorder=4,
            label=f"knee point (trial {view.trials[view.knee]})",
        )


def _scale(axis: Axes, view: Overview, x: Axis, y: Axis) -> None:
    axis.set_xlabel(x.label)
    axis.set_ylabel(y.label)
    if x.log:
        logarithmic_axis(axis, "x")
    elif limits := bulk(np.append(x.values, x.early), x.values[view.pareto]):
        axis.set_xlim(limits)
    if y.log:
        logarithmic_axis(axis, "y")
    elif limits := bulk(np.append(y.values, y.early), y.values[view.pareto]):
        axis.set_ylim(limits)


def _reference(axis: Axes, point: Floats, name: str) -> None:
    """The reference point, unless that would squash everything else."""
    if not np.isfinite(point).all():
        return
    horizontal = _reaching(axis.get_xlim(), float(point[0]), axis.get_xscale() == "log")
    vertical = _reaching(axis.get_ylim(), float(point[1]), axis.get_yscale() == "log")
    if horizontal is None or vertical is None:
        axis.scatter([], [], marker="P", s=60, color=REFERENCE, label=f"{name}, outside the picture")
        return
    axis.set_xlim(horizontal)
    axis.set_ylim(vertical)
    axis.scatter(point[0], point[1], marker="P", s=60, color=REFERENCE, zorder=3, label=name)


def _reaching(ends: tuple[float, float], value: float, log: bool) -> tuple[float, float] | None:
    """An axis' ends, moved so far that ``value`` is between them; None where that is too far."""
    low, high = np.log(ends) if log and value > 0 else ends
    place = math.log(value) if log and value > 0 else value
    extent = high - low
    if not low - FAR * extent <= place <= high + FAR * extent:
        return None
    margin = 0.04 * extent
    moved = np.array([min(low, place - margin), max(high, place + margin)])
    low, high = np.exp(moved) if log and value > 0 else moved
    return float(low), float(high)


def _section(view: Overview, fronts: Sequence[Front]) -> str:
    if len(view.objectives) == 2:
        text = "Hover over a trial to see its configuration; click in the legend to hide."
        return captioned(text, flat(view, fronts))
    if len(view.objectives) == 3:
        return captioned("Drag to turn; hover over a trial to see its configuration.", solid(view))
    return captioned("Every pair of objectives; hover over a trial to see its configuration.", pairs(view))


FRONT: Figure[Overview, tuple[Front, ...]] = Figure(
    name="front",
    heading="Trade-off",
    serves=f"studies with two to {MOST_PAIRED} objectives",
    describe=describe,
    draw=lambda view, fronts: [("", picture(view, fronts))],
    section=_section,
)
