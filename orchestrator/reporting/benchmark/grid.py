"""What coloured tables share, as pictures and as charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from orchestrator.reporting.scales import Floats

MOST_WRITTEN = 12
"""Charts with more columns show their numbers only under the pointer."""
MOST_WRITTEN_IN_PICTURES = 14
"""Pictures with more columns have colours alone; the tables have the numbers."""


def heat(
    columns: Sequence[str], rows: Sequence[str], values: Floats, texts: list[list[str]], *, written: bool
) -> dict[str, Any]:
    """A heat map without its colours; NaN is empty."""
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


def grid_layout(columns: Sequence[str], rows: Sequence[str], height: int) -> dict[str, Any]:
    """Room for the names of rows and columns; ``height`` of the rows together in pixels."""
    top = 30 + 5.2 * max(map(len, columns))
    left = 20 + 6.6 * max(map(len, rows))
    return {
        "meta": {"least_width": round(left + 22 * len(columns) + 120)},
        "height": height + top + 10,
        "margin": {"t": top, "b": 10, "l": left, "r": 10},
        "xaxis": {"side": "top", "tickangle": -45, "showgrid": False, "type": "category", "dtick": 1},
        "yaxis": {"autorange": "reversed", "showgrid": False, "type": "category", "dtick": 1},
    }


def name_axes(axis: Axes, columns: tuple[str, ...], rows: list[str] | tuple[str, ...]) -> None:
    """Name the rows and columns of a picture."""
    axis.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor", fontsize=8)
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(rows)), rows, fontsize=8)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
