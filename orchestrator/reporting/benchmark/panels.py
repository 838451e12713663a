"""Lines over an axis: anytime curves, distributions of targets, attainment surfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.benchmark.records import TaskRecord
from orchestrator.reporting.benchmark.view import MOST_BANDS, View
from orchestrator.reporting.scales import Floats
from workloads.contract import Objective

if TYPE_CHECKING:
    import pandas as pd

Time = Literal["evaluations", "seconds"]

TIMES: tuple[Time, ...] = ("evaluations", "seconds")
"""The ways to count time."""


@dataclass(frozen=True)
class Line:
    """One method's line; ``low`` and ``high`` bound its band, where it has one.

    Args:
        steps: whether a value holds until the next ``x``; otherwise points are joined straight.
        thin: whether it only accompanies another line of the method.
    """

    method: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    steps: bool = True
    thin: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines that share their axes.

    Args:
        title, x_label, y_label: with units.
        lines: in the order of methods.
        log_x, log_y: whether an axis is logarithmic.
        percent: whether ``x`` is a share, to be written in per cent.
        y_limits: cut off a few values that would squash the rest.
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    percent: bool = False
    y_limits: tuple[float, float] | None = None


def lines_of(
    view: View,
    rows: pd.DataFrame | Mapping[str, NDArray[Any]],
    scale: float = 1.0,
    columns: tuple[str, str, str] = ("mean", "low", "high"),
) -> tuple[Line, ...]:
    """A line per method, in the study's order, without what is not known yet.

    Args:
        rows: with the columns method and x.
        scale: of x.
        columns: the line, and the bounds of its band.
    """
    banded = len(view.looks) <= MOST_BANDS
    x, middle, low, high = (np.asarray(rows[name], dtype=float) for name in ("x", *columns))
    methods, known = np.asarray(rows["method"], dtype=object), ~np.isnan(middle)
    lines = []
    for method in view.looks:
        own = (methods == method) & known
        if own.any():
            bounds = (low[own], high[own]) if banded else (None, None)
            lines.append(Line(method, x[own] / scale, middle[own], *bounds))
    return tuple(lines)


def by_method(view: View, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    grouped = dict(list(rows.groupby("method", sort=False, observed=True)))
    return [(method, grouped[method]) for method in view.looks if method in grouped]


def objective_of(task: TaskRecord, place: int) -> Objective:
    """An objective of a task, with its direction."""
    return Objective(task.objectives[place], "max" if task.directions[place] == "max" else "min")


def floored(lines: Sequence[Line], floor: float | None = None) -> tuple[Line, ...]:
    """Lines for a logarithmic axis: nothing below the floor, which else is the smallest positive mean."""
    least = positive([line.y for line in lines]).min(initial=np.inf) if floor is None else floor

    def raised(values: Floats | None) -> Floats | None:
        return None if values is None else np.maximum(values, least)

    return tuple(
        Line(line.method, line.x, np.maximum(line.y, least), raised(line.low), raised(line.high))
        for line in lines
    )


def positive(values: Sequence[Floats]) -> Floats:
    every: Floats = np.concatenate([np.empty(0), *values])
    return every[np.isfinite(every) & (every > 0)]
