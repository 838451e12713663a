"""Interactive charts of two and three objectives, with the Pareto set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from orchestrator.reporting.document import laid_out
from orchestrator.reporting.scales import Floats
from orchestrator.reporting.search.charts import early_marks, hover, scale
from orchestrator.reporting.search.configurations import keys
from orchestrator.reporting.search.overview import Overview
from orchestrator.reporting.search.style import (
    ALL,
    INFEASIBLE,
    KNEE,
    PARETO,
    REFERENCE,
    front_name,
    reference_name,
)


@dataclass(frozen=True)
class Front:
    """The boundary of what the Pareto set of two objectives attains, in their own directions.

    Args:
        label: names its trials.
        corners: a polyline of steps, shape ``(k, 2)``.
    """

    label: str
    corners: Floats


def flat(view: Overview, fronts: Sequence[Front]) -> go.Figure:
    """Two objectives against each other."""
    x, y = view.objectives
    figure = laid_out(560)
    for front, dash in zip(fronts, ("solid", "dash", "dot"), strict=False):
        line = {"color": PARETO, "width": 1.2, "dash": dash}
        figure.add_scatter(
            x=front.corners[:, 0],
            y=front.corners[:, 1],
            mode="lines",
            line=line,
            name=front.label,
            hoverinfo="skip",
        )
    if len(x.early):
        figure.add_scatter(x=x.early, y=y.early, **early_marks(view))
    for name, rows, marker in _groups(view):
        if len(rows):
            figure.add_scatter(
                x=x.values[rows],
                y=y.values[rows],
                mode="markers",
                marker=marker,
                name=name,
                text=hover(view, rows),
                customdata=keys(view.trials[rows]),
                hovertemplate="%{text}<extra></extra>",
            )
    if np.isfinite(view.reference).all():
        figure.add_scatter(
            x=view.reference[:1],
            y=view.reference[1:],
            mode="markers",
            marker={"color": REFERENCE, "symbol": "cross", "size": 10},
            name=reference_name(view),
            hoverinfo="name",
        )
    figure.update_xaxes(scale(x))
    figure.update_yaxes(scale(y))
    return figure


def solid(view: Overview) -> go.Figure:
    """Three objectives in space."""
    figure = laid_out(680)
    if len(view.objectives[0].early):
        x, y, z = (axis.early for axis in view.objectives)
        figure.add_scatter3d(x=x, y=y, z=z, **early_marks(view, 0.6))
    for name, rows, marker in _groups(view):
        if len(rows):
            x, y, z = (axis.values[rows] for axis in view.objectives)
            size = {"size": marker["size"] * 0.7, "line": {"width": 0}}
            figure.add_scatter3d(
                x=x,
                y=y,
                z=z,
                mode="markers",
                marker={**marker, **size},
                name=name,
                text=hover(view, rows),
                customdata=keys(view.trials[rows]),
                hovertemplate="%{text}<extra></extra>",
            )
    if np.isfinite(view.reference).all():
        x, y, z = view.reference[:, None]
        marker = {"color": REFERENCE, "symbol": "cross", "size": 5}
        figure.add_scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, name=reference_name(view))
    scales = [scale(axis) for axis in view.objectives]
    figure.update_layout(
        scene={
            **dict(zip(("xaxis", "yaxis", "zaxis"), scales, strict=True)),
            "camera": {"eye": {"x": 1.7, "y": -1.5, "z": 0.9}},
        }
    )
    return figure


def pairs(view: Overview) -> go.Figure:
    """Every pair of four or more objectives, one below the other."""
    figure = laid_out(180 * len(view.objectives) + 60)
    for name, rows, marker in _groups(view):
        if len(rows):
            figure.add_splom(
                dimensions=[
                    {"label": escape(one.short), "values": one.values[rows]} for one in view.objectives
                ],
                marker={**marker, "size": 0.8 * marker["size"]},
                diagonal={"visible": False},
                showupperhalf=False,
                name=name,
                text=hover(view, rows),
                customdata=keys(view.trials[rows]),
                hovertemplate="%{text}<extra></extra>",
            )
    figure.update_layout(meta={"least_width": 150 * len(view.objectives)})
    return figure


def _groups(view: Overview) -> Iterator[tuple[str, np.ndarray[Any, Any], dict[str, Any]]]:
    """Which trials are drawn how, those behind first."""
    grey = {"color": ALL, "size": 6, "opacity": 0.6}
    yield "trials", np.flatnonzero(view.feasible & ~view.pareto), grey
    yield "infeasible trials", np.flatnonzero(~view.feasible), {"color": INFEASIBLE, "symbol": "x", "size": 5}
    yield front_name(view), np.flatnonzero(view.pareto), {"color": PARETO, "size": 9}
    if view.knee is not None:
        ring = {"color": KNEE, "size": 15, "symbol": "circle-open", "line": {"color": KNEE, "width": 3}}
        yield "knee point", np.array([view.knee]), ring
