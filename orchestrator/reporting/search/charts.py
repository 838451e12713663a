"""What the interactive charts of a search study share."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from orchestrator.reporting.search.configurations import keys
from orchestrator.reporting.search.overview import Axis, Overview
from orchestrator.reporting.search.style import LESS, LESS_COLOR, ring_sizes

_EARLY: dict[str, Any] = {"color": LESS_COLOR, "symbol": "circle-open", "opacity": 0.7}
"""The marks of trials that were trained less than fully."""


def early_marks(view: Overview, size: float = 1.0) -> dict[str, Any]:
    """A scatter trace of the trials that were trained less, without its points; ``size`` scales its marks."""
    return {
        "mode": "markers",
        "marker": {**_EARLY, "size": size * 1.4 * ring_sizes(view)},
        "name": LESS,
        "text": [escape(text).replace("\n", "<br>") for text in view.less.descriptions],
        "customdata": keys(view.less.trials),
        "hovertemplate": "%{text}<extra></extra>",
    }


def hover(view: Overview, rows: np.ndarray[Any, Any]) -> list[str]:
    """What stands beside the pointer over each of these trials."""
    return [escape(view.descriptions[row]).replace("\n", "<br>") for row in rows]


def scale(axis: Axis) -> dict[str, Any]:
    """An axis of a chart that shows this quantity."""
    settings: dict[str, Any] = {"title": {"text": axis.label}}
    if axis.log:
        values = np.append(axis.values, axis.early)
        decades = np.log10(np.nanmax(values) / np.nanmin(values))
        settings |= {"type": "log", "dtick": 1 if decades > 2 else "D2", "exponentformat": "power"}
    elif axis.whole and axis.limits and not axis.categories and axis.limits[1] - axis.limits[0] <= 10:
        settings |= {"dtick": 1 if axis.limits[1] - axis.limits[0] <= 5 else 2, "tickformat": ",d"}
    elif axis.whole:
        settings |= {"tickformat": ",d"}
    if axis.categories:
        places = list(range(len(axis.categories)))
        settings |= {"tickvals": places, "ticktext": axis.categories, "range": [-0.5, places[-1] + 0.5]}
    elif axis.limits:
        low, high = np.log10(axis.limits) if axis.log else axis.limits
        margin = 0.04 * (high - low)
        settings["range"] = [low - margin, high + margin]
    return settings
