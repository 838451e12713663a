"""Shared by all pictures of a study: colours, names and marks."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.reporting.scales import Floats
from orchestrator.reporting.search.overview import Overview
from orchestrator.text import number

ALL, PARETO, KNEE, INFEASIBLE, REFERENCE = "#8c8c8c", "#0072b2", "#d55e00", "#cc79a7", "#000000"
"""Of Okabe and Ito's palette, which colour-blind people can tell apart."""


LESS_COLOR = "#a67c3d"
LESS = "trained less (the smaller, the less)"
"""The name of the trials that were trained less than fully."""


def front_name(view: Overview) -> str:
    """What the trials that are highlighted are."""
    return "Pareto set" if len(view.objectives) > 1 else "best trial"


def reference_name(view: Overview) -> str:
    """The reference point with its values."""
    return f"reference point ({', '.join(map(number, view.reference))})"


def new_figure(view: Overview, width: float, height: float) -> Figure:
    """A figure with the study's title; inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle("\n".join(filter(None, (view.title, view.counts))), fontsize=11)
    return figure


def ring_sizes(view: Overview) -> Floats:
    """Diameters in points of the rings that stand for trials trained less than fully, shape ``(k,)``."""
    return np.asarray(2.0 + 2.5 * view.less.progress)


def rings(axis: Axes, view: Overview, x: Floats, y: Floats) -> None:
    """Draw the trials that were trained less than fully."""
    drawn = axis.scatter(x, y, s=ring_sizes(view) ** 2, color="none", linewidths=0.7, label=LESS)
    drawn.set_edgecolor(LESS_COLOR)
    drawn.set_alpha(0.7)
