"""Draws panels of lines as an interactive chart."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from orchestrator.reporting.benchmark.looks import Look
from orchestrator.reporting.benchmark.panels import Line, Panel
from orchestrator.reporting.document import Chart
from orchestrator.reporting.scales import Floats


def chart(shown: Sequence[Panel], looks: Mapping[str, Look], columns: int = 1) -> Chart:
    """Panels side by side; the page gives them one legend."""
    columns = min(columns, len(shown))
    rows = math.ceil(len(shown) / columns)
    legend: set[str] = set()
    height = 60 + rows * (340 if columns > 1 else 380)
    layout: dict[str, Any] = {
        "height": height,
        "hovermode": "closest",
        "margin": {"t": 40, "b": 50, "l": 75, "r": 10},
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


def _numbers(values: Floats) -> dict[str, str]:
    """Numbers as plotly reads them from base64, in single precision: a picture shows no more."""
    return {"dtype": "f4", "bdata": base64.b64encode(values.astype("<f4").tobytes()).decode()}


def _stepped(x: Floats, *values: Floats) -> tuple[Floats, ...]:
    """The corners of values that hold until the next ``x``."""
    return np.repeat(x, 2)[1:], *(np.repeat(one, 2)[:-1] for one in values)


def _faint(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"
