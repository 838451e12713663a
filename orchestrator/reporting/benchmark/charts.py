"""Draws a benchmark study as interactive charts: plotly's figures as plain dictionaries.

A page holds some hundred of them, and draws one when it is looked at; they take their template from the page.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from orchestrator.reporting.benchmark.critical import Bar, Diagram, Label
from orchestrator.reporting.benchmark.looks import Look
from orchestrator.reporting.benchmark.matrices import (
    BETTER,
    NO_DIFFERENCE,
    WORSE,
    Pairs,
    Scores,
    p_value,
    score,
)
from orchestrator.reporting.benchmark.panels import Line, Panel
from orchestrator.reporting.scales import Floats

Chart = dict[str, Any]

_LEGEND_LINE = 20
_TEXT_LINE = 21
_ABOVE = 2.9
MOST_WRITTEN = 12
"""Matrices with more columns show their numbers only under the pointer."""


def lines(shown: Sequence[Panel], looks: Mapping[str, Look], columns: int = 1) -> Chart:
    """Panels side by side, with one legend on the right."""
    columns = min(columns, len(shown))
    rows = math.ceil(len(shown) / columns)
    legend: set[str] = set()
    methods = {line.method for panel in shown for line in panel.lines}
    height = max(60 + rows * (360 if columns > 1 else 400), 120 + _LEGEND_LINE * len(methods))
    layout: dict[str, Any] = {
        "height": height,
        "hovermode": "closest",
        "margin": {"t": 40, "b": 50, "l": 75, "r": 10},
        "legend": {"tracegroupgap": 0},
        "annotations": [],
    }
    data = []
    for place, panel in enumerate(shown):
        row, column = divmod(place, columns)
        suffix = "" if place == 0 else str(place + 1)
        x_domain, y_domain = _share(column, columns, 0.11), _share(rows - 1 - row, rows, 95 / height)
        x_axis, y_axis = _axes(panel)
        layout[f"xaxis{suffix}"] = {**x_axis, "domain": x_domain, "anchor": f"y{suffix}"}
        layout[f"yaxis{suffix}"] = {**y_axis, "domain": y_domain, "anchor": f"x{suffix}"}
        layout["annotations"].append(_heading(panel.title, x_domain[0], y_domain[1]))
        for line in panel.lines:
            for trace in _traces(line, looks[line.method]):
                named = trace.pop("named") and line.method not in legend
                legend |= {line.method} if named else set()
                axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
                data.append({**trace, **axes, "showlegend": named})
    return {"data": data, "layout": layout}


def _traces(line: Line, look: Look) -> Iterator[dict[str, Any]]:
    common = {"type": "scatter", "mode": "lines", "name": line.method, "legendgroup": line.method}
    if line.low is not None and line.high is not None:
        x, low, high = _stepped(line.x, line.low, line.high)
        yield common | {
            "x": _numbers(np.concatenate([x, x[::-1]])),
            "y": _numbers(np.concatenate([high, low[::-1]])),
            "fill": "toself",
            "fillcolor": _faint(look.color),
            "line": {"width": 0},
            "hoverinfo": "skip",
            "named": False,
        }
    yield common | {
        "x": _numbers(line.x),
        "y": _numbers(line.y),
        "line": {
            "color": look.color,
            "dash": look.dash,
            "width": 1 if line.thin else 2,
            "shape": "hv" if line.steps else "linear",
        },
        "opacity": 0.6 if line.thin else 1,
        "hovertemplate": f"{escape(line.method)}: %{{y:.4g}} at %{{x:.4g}}<extra></extra>",
        "named": not line.thin,
    }


def critical_difference(diagram: Diagram, looks: Mapping[str, Look]) -> Chart:
    """A critical-difference diagram."""
    (low, high), (left_edge, right_edge) = diagram.limits, diagram.edges
    side = 20 + 7.2 * max(len(label.text) for label in diagram.labels)
    end = low + diagram.difference
    shapes = [_stroke([(low, 0), (high, 0)]), _stroke([(low, -1.65), (end, -1.65)])]
    shapes += [_stroke([(x, -1.8), (x, -1.5)]) for x in (low, end)]
    shapes += [_stroke([(rank, 0), (rank, -0.3)]) for rank in range(low, high + 1)]
    texts = [_text(str(rank), rank, -0.8, "center") for rank in range(low, high + 1)]
    texts.append(_text(diagram.scale, end, -1.65, "left", 8))
    for label in diagram.labels:
        shapes += _label_strokes(label, diagram, looks[label.method].color)
        left = label.side == "left"
        edge, anchor, shift = (left_edge, "right", -5) if left else (right_edge, "left", 5)
        texts.append(_text(label.text, edge, label.y, anchor, shift))
    shapes += [_bar(bar) for bar in diagram.bars]
    hidden = {"visible": False, "fixedrange": True}
    layout = {
        "height": _TEXT_LINE * (_ABOVE + diagram.depth + 1),
        "margin": {"t": 0, "b": 0, "l": side, "r": side},
        "xaxis": {**hidden, "range": [left_edge, right_edge]},
        "yaxis": {**hidden, "range": [diagram.depth + 1, -_ABOVE]},
        "shapes": shapes,
        "dragmode": False,
        "annotations": texts,
    }
    return {
        "data": [{"type": "scatter", "x": [low], "y": [0], "mode": "none", "hoverinfo": "skip"}],
        "layout": layout,
    }


def _label_strokes(label: Label, diagram: Diagram, color: str) -> list[dict[str, Any]]:
    edge = diagram.edges[0] if label.side == "left" else diagram.edges[1]
    return [_stroke([(label.rank, 0), (label.rank, label.y), (edge, label.y)], color)]


def _bar(bar: Bar) -> dict[str, Any]:
    return _stroke([(bar.low, bar.y), (bar.high, bar.y)], width=5)


def scores(shown: Scores) -> Chart:
    """Tasks × methods."""
    rows, columns = shown.values.shape
    texts = [[score(value) for value in row] for row in shown.values]
    places, ticks = shown.ticks
    bar = {
        "title": {"text": "normalised score (0 is best)", "side": "right"},
        "tickvals": places,
        "ticktext": ticks,
        "lenmode": "pixels",
        "len": max(180, min(320, 20 * rows)),
        "yanchor": "top",
        "y": 1,
    }
    heat = _heat(shown.methods, shown.labels, shown.shades, texts, written=columns <= MOST_WRITTEN)
    heat |= {
        "colorscale": "Cividis",
        "reversescale": True,
        "zmin": -shown.decades,
        "zmax": 0,
        "colorbar": bar,
    }
    heat["hovertemplate"] = "%{y}<br>%{x}: %{text}<extra></extra>"
    return {"data": [heat], "layout": _grid(shown.methods, shown.labels, max(180, 20 * rows))}


def pairs(shown: Pairs) -> Chart:
    """Methods × methods."""
    count = len(shown.methods)
    texts = [
        ["" if i == j else p_value(value) for j, value in enumerate(row)] for i, row in enumerate(shown.p)
    ]
    heat = _heat(shown.methods, shown.methods, shown.verdicts, texts, written=count <= MOST_WRITTEN)
    steps = [WORSE, WORSE, NO_DIFFERENCE, NO_DIFFERENCE, BETTER, BETTER]
    places = [0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1]
    heat |= {
        "colorscale": [list(step) for step in zip(places, steps, strict=True)],
        "zmin": -1,
        "zmax": 1,
        "customdata": np.nan_to_num(shown.differences).round(3).tolist(),
        "hovertemplate": "%{y} against %{x}<br>p %{text}, mean ranks differ by %{customdata}<extra></extra>",
        "colorbar": {
            "tickvals": [-2 / 3, 0, 2 / 3],
            "ticktext": ["row worse", "not significant", "row better"],
        },
    }
    width, height = (70, 42) if count <= MOST_WRITTEN else (28, 24)
    layout = _grid(shown.methods, shown.methods, height * max(4, count))
    layout["width"] = min(1110, width * max(4, count) + layout["margin"]["l"] + 130)
    return {"data": [heat], "layout": layout}


def _heat(
    columns: Sequence[str], rows: Sequence[str], values: Floats, texts: list[list[str]], *, written: bool
) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "x": list(columns),
        "y": list(rows),
        "z": [[None if np.isnan(value) else value for value in row] for row in values.tolist()],
        "text": texts,
        "texttemplate": "%{text}" if written else "",
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
    }


def _grid(columns: Sequence[str], rows: Sequence[str], height: int) -> dict[str, Any]:
    top = 30 + 5.2 * max(map(len, columns))
    return {
        "height": height + top + 10,
        "margin": {"t": top, "b": 10, "l": 20 + 6.6 * max(map(len, rows)), "r": 10},
        "xaxis": {"side": "top", "tickangle": -45, "showgrid": False, "type": "category", "dtick": 1},
        "yaxis": {"autorange": "reversed", "showgrid": False, "type": "category", "dtick": 1},
    }


def _axes(panel: Panel) -> tuple[dict[str, Any], dict[str, Any]]:
    x: dict[str, Any] = {"title": {"text": escape(panel.x_label), "standoff": 8}}
    y: dict[str, Any] = {"title": {"text": escape(panel.y_label), "standoff": 8}}
    if panel.log_x:
        x |= _logarithmic([line.x for line in panel.lines])
    if panel.log_y:
        y |= _logarithmic([line.y for line in panel.lines])
    if panel.percent:
        x["tickformat"] = ".0%"
    if panel.y_limits:
        y["range"] = panel.y_limits
    return x, y


def _logarithmic(values: Sequence[Floats]) -> dict[str, Any]:
    every = np.concatenate([np.ones(0), *values])
    decades = np.log10(every.max() / every.min()) if every.size else 0
    return {
        "type": "log",
        "dtick": "D2" if decades < 1.5 else math.ceil(decades / 10),
        "exponentformat": "power",
    }


def _share(place: int, count: int, gap: float) -> tuple[float, float]:
    """Where the one at ``place`` of ``count`` begins and ends, with gaps between them."""
    size = (1 - gap * (count - 1)) / count
    return place * (size + gap), place * (size + gap) + size


def _heading(text: str, x: float, y: float) -> dict[str, Any]:
    at = {"x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return {**at, "text": f"<b>{escape(text)}</b>", "showarrow": False, "font": {"size": 13}, "yshift": 4}


def _stroke(
    points: Sequence[tuple[float, float]], color: str = "#000000", width: float = 1.5
) -> dict[str, Any]:
    path = "M" + "L".join(f"{x:.6g},{y:.6g}" for x, y in points)
    return {"type": "path", "path": path, "line": {"color": color, "width": width}}


def _text(text: str, x: float, y: float, anchor: str, shift: float = 0) -> dict[str, Any]:
    place = {"x": x, "y": y, "xanchor": anchor, "yanchor": "middle", "xshift": shift}
    return {**place, "text": escape(text), "showarrow": False, "font": {"size": 13, "color": "#000000"}}


def _numbers(values: Floats) -> dict[str, str]:
    """Numbers as plotly reads them from base64, in single precision: a picture shows no more."""
    return {"dtype": "f4", "bdata": base64.b64encode(values.astype("<f4").tobytes()).decode()}


def _stepped(x: Floats, *values: Floats) -> tuple[Floats, ...]:
    """The corners of values that hold until the next ``x``."""
    return np.repeat(x, 2)[1:], *(np.repeat(one, 2)[:-1] for one in values)


def _faint(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"
