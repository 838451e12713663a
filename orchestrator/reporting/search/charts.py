"""Draws a search study as interactive charts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from orchestrator.reporting.document import laid_out
from orchestrator.reporting.search.overview import Axis, Curves, Overview
from orchestrator.reporting.search.parallel import INACTIVE, early_heights, heights, ticks
from orchestrator.reporting.search.style import (
    ALL,
    INFEASIBLE,
    KNEE,
    LESS,
    LESS_COLOR,
    PARETO,
    REFERENCE,
    front_name,
    reference_name,
    ring_sizes,
)
from orchestrator.reporting.style import time_scale

_EARLY: dict[str, Any] = {"color": LESS_COLOR, "symbol": "circle-open", "opacity": 0.7}
"""Of trials that were trained less than fully."""


def flat(view: Overview) -> go.Figure:
    """Two objectives against each other."""
    x, y = view.objectives
    figure = laid_out(560)
    for front, dash in zip(view.fronts, ("solid", "dash", "dot"), strict=False):
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
        figure.add_scatter(x=x.early, y=y.early, **_early(view))
    for name, rows, marker in _groups(view):
        if len(rows):
            figure.add_scatter(
                x=x.values[rows],
                y=y.values[rows],
                mode="markers",
                marker=marker,
                name=name,
                text=_hover(view, rows),
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
    figure.update_xaxes(_scale(x))
    figure.update_yaxes(_scale(y))
    return figure


def solid(view: Overview) -> go.Figure:
    """Three objectives in space."""
    figure = laid_out(680)
    if len(view.objectives[0].early):
        x, y, z = (axis.early for axis in view.objectives)
        figure.add_scatter3d(x=x, y=y, z=z, **_early(view, 0.6))
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
                text=_hover(view, rows),
                hovertemplate="%{text}<extra></extra>",
            )
    if np.isfinite(view.reference).all():
        x, y, z = view.reference[:, None]
        marker = {"color": REFERENCE, "symbol": "cross", "size": 5}
        figure.add_scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, name=reference_name(view))
    scales = [_scale(axis) for axis in view.objectives]
    figure.update_layout(
        scene={
            **dict(zip(("xaxis", "yaxis", "zaxis"), scales, strict=True)),
            "camera": {"eye": {"x": 1.7, "y": -1.5, "z": 0.9}},
        }
    )
    return figure


def parallel(view: Overview) -> go.Figure:
    """Parameters and objectives as parallel coordinates."""
    level = 1 + view.pareto.astype(int)
    if view.knee is not None and len(view.objectives) > 1:
        level[view.knee] = 3
    level = np.append(np.zeros(len(view.less.trials), dtype=int), level)
    order = np.argsort(level, kind="stable")
    dimensions = []
    for axis in (*view.parameters, *view.objectives):
        places, texts = zip(*ticks(axis), strict=True)
        bottom = INACTIVE if min(places) < 0 else 0.0
        dimensions.append(
            {
                "label": escape(axis.short),
                "values": np.append(early_heights(axis), heights(axis))[order],
                "range": [bottom, 1.0],
                "tickvals": places,
                "ticktext": texts,
            }
        )
    scale = [[0.0, "#e3d5bd"], [1 / 3, "#c0c0c0"], [2 / 3, PARETO], [1.0, KNEE]]
    figure = laid_out(480)
    figure.add_parcoords(
        dimensions=dimensions, line={"color": level[order], "colorscale": scale, "cmin": 0, "cmax": 3}
    )
    figure.update_layout(margin={"l": 90, "r": 90, "t": 60, "b": 30})
    return figure


def progress(view: Overview) -> go.Figure:
    """Hypervolume, or the best value, over trials and over time."""
    progress = view.progress
    scale, unit = time_scale(progress.elapsed)
    counts = np.arange(1, len(progress.values) + 1)
    figure = laid_out(400, make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04))
    for column, x in enumerate((counts, progress.elapsed / scale), start=1):
        first = column == 1
        if progress.single is not None:
            marker = {"color": ALL, "size": 6, "opacity": 0.6}
            figure.add_scatter(
                x=x,
                y=progress.single,
                mode="markers",
                marker=marker,
                name="trials",
                showlegend=first,
                row=1,
                col=column,
            )
        if progress.early is not None and len(view.less.trials):
            known = np.isfinite(progress.early)
            shown = _early(view) | {"showlegend": first}
            figure.add_scatter(x=x[known], y=progress.early[known], **shown, row=1, col=column)
        line = {"color": PARETO, "width": 2.5, "shape": "hv"}
        figure.add_scatter(
            x=x,
            y=progress.values,
            mode="lines",
            line=line,
            name="best so far",
            showlegend=first,
            row=1,
            col=column,
        )
    figure.update_xaxes(title="trials ended", row=1, col=1)
    figure.update_xaxes(title=unit, row=1, col=2)
    if progress.log:
        figure.update_yaxes(type="log")
    figure.update_yaxes(title=progress.label, row=1, col=1)
    return figure


def slices(view: Overview) -> go.Figure:
    """The one objective over each parameter."""
    objective = view.objectives[0]
    columns = min(3, len(view.parameters))
    rows = -(-len(view.parameters) // columns)
    grid = make_subplots(
        rows, columns, shared_yaxes=True, horizontal_spacing=0.03, vertical_spacing=0.22 / rows
    )
    figure = laid_out(90 + 260 * rows, grid)
    everybody = np.arange(len(view.trials))
    for place, axis in enumerate(view.parameters):
        row, column = divmod(place, columns)
        if len(axis.early):
            shown = _early(view) | {"showlegend": place == 0}
            figure.add_scatter(x=axis.early, y=objective.early, **shown, row=row + 1, col=column + 1)
        marker = {"color": view.trials, "colorscale": "Viridis", "size": 7, "showscale": place == 0}
        marker["colorbar"] = {"title": "trial"}
        figure.add_scatter(
            x=axis.values,
            y=objective.values,
            mode="markers",
            marker=marker,
            text=_hover(view, everybody),
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            row=row + 1,
            col=column + 1,
        )
        figure.update_xaxes(_scale(axis), row=row + 1, col=column + 1)
        if column == 0:
            figure.update_yaxes(title=objective.label, row=row + 1, col=1)
    if objective.log:
        figure.update_yaxes(type="log")
    return figure


def learning_curves(view: Overview) -> go.Figure:
    """Every trial's objectives at the rungs that it reported at."""
    columns = min(3, len(view.curves))
    rows = -(-len(view.curves) // columns)
    figure = laid_out(120 + 330 * rows, make_subplots(rows, columns, vertical_spacing=0.25 / rows))
    for place, panel in enumerate(view.curves):
        row, column = divmod(place, columns)
        for best, name, color, width in ((False, "trials", ALL, 1), (True, front_name(view), PARETO, 2.5)):
            x, y, texts = _joined(panel, best)
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines+markers",
                line={"color": color, "width": width},
                marker={"size": 4},
                opacity=0.9 if best else 0.45,
                name=name,
                text=texts,
                hovertemplate="%{text}, at %{x}: %{y}<extra></extra>",
                showlegend=place == 0,
                row=row + 1,
                col=column + 1,
            )
        rungs = {"tickvals": panel.rungs} if len(panel.rungs) <= 8 else {}
        figure.update_xaxes(
            title=f"training ({view.unit}s)", type="log", **rungs, row=row + 1, col=column + 1
        )
        kind = {"type": "log", "dtick": "D2"} if panel.log else {}
        figure.update_yaxes(title=panel.label, **kind, row=row + 1, col=column + 1)
    return figure


def importances(view: Overview) -> go.Figure:
    """The shares of the parameters in each goal."""
    names = list(view.importance[0].shares)
    titles = [f"for {escape(one.goal)}" for one in view.importance]
    count = len(view.importance)
    grid = make_subplots(1, count, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03)
    figure = laid_out(130 + 34 * len(names), grid)
    for column, one in enumerate(view.importance, start=1):
        shares = [one.shares[name] for name in names]
        texts = [f"{share:.0%}" for share in shares]
        figure.add_bar(
            x=shares,
            y=names,
            orientation="h",
            marker={"color": PARETO},
            text=texts,
            textposition="outside",
            showlegend=False,
            row=1,
            col=column,
        )
    figure.update_xaxes(range=[0, 1.2], tickformat=".0%", tickvals=[0, 0.5, 1])
    figure.update_yaxes(autorange="reversed")
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


def _early(view: Overview, size: float = 1.0) -> dict[str, Any]:
    """How the trials that were trained less are drawn."""
    return {
        "mode": "markers",
        "marker": {**_EARLY, "size": size * 1.4 * ring_sizes(view)},
        "name": LESS,
        "text": [escape(text).replace("\n", "<br>") for text in view.less.descriptions],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _hover(view: Overview, rows: np.ndarray[Any, Any]) -> list[str]:
    return [escape(view.descriptions[row]).replace("\n", "<br>") for row in rows]


def _joined(panel: Curves, best: bool) -> tuple[list[float], list[float], list[str]]:
    """All curves as one, with gaps: a trace per trial would be slow."""
    x: list[float] = []
    y: list[float] = []
    texts: list[str] = []
    for curve in panel.curves:
        if curve.best is best:
            x += [*curve.points[:, 0].tolist(), np.nan]
            y += [*curve.points[:, 1].tolist(), np.nan]
            texts += [f"trial {curve.trial}"] * (len(curve.points) + 1)
    return x, y, texts


def _scale(axis: Axis) -> dict[str, Any]:
    scale: dict[str, Any] = {"title": {"text": axis.label}}
    if axis.log:
        values = np.append(axis.values, axis.early)
        decades = np.log10(np.nanmax(values) / np.nanmin(values))
        scale |= {"type": "log", "dtick": 1 if decades > 2 else "D2", "exponentformat": "power"}
    if axis.categories:
        places = list(range(len(axis.categories)))
        scale |= {"tickvals": places, "ticktext": axis.categories, "range": [-0.5, places[-1] + 0.5]}
    elif axis.limits:
        low, high = np.log10(axis.limits) if axis.log else axis.limits
        margin = 0.04 * (high - low)
        scale["range"] = [low - margin, high + margin]
    return scale
