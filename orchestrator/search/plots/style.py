"""What all pictures of a study share."""

from __future__ import annotations

from matplotlib.figure import Figure

from orchestrator.search.plots.overview import Overview
from orchestrator.text import number

ALL, PARETO, KNEE, INFEASIBLE, REFERENCE = "#8c8c8c", "#0072b2", "#d55e00", "#cc79a7", "#000000"
"""Of Okabe and Ito's palette, which colour-blind people can tell apart."""


def front_name(view: Overview) -> str:
    """What the trials that are highlighted are."""
    return "Pareto set" if len(view.objectives) > 1 else "best trial"


def reference_name(view: Overview) -> str:
    """The reference point with its values."""
    return f"reference point ({', '.join(map(number, view.reference))})"


def new_figure(view: Overview, width: float, height: float) -> Figure:
    """A figure with the study's title; inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(view.title, fontsize=11)
    return figure
