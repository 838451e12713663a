"""The picture that a comparison of methods over a few seeds needs: every value, and each method's mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from orchestrator.reporting import style

Floats = NDArray[np.float64]


def dots(axes: Axes, values: Mapping[str, Floats], label: str) -> None:
    """A row for each method, the least mean at the top: a dot for each value, a stroke at the mean.

    Args:
        axes: to draw on.
        values: of each method, ``(seeds,)``.
        label: what they are, with unit and direction.
    """
    names = sorted(values, key=lambda name: float(np.mean(values[name])))
    for row, name in enumerate(names):
        own = values[name]
        axes.plot(own, np.full(len(own), row), "o", color="tab:blue", alpha=0.5, markeredgewidth=0)
        axes.plot([own.mean()] * 2, [row - 0.35, row + 0.35], color="black", linewidth=1.5)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
    style.plain(axes)


def draw_dots(panels: Mapping[str, Mapping[str, Floats]], label: str, path: Path) -> None:
    """A panel for each task, with its name as the title, at most three beside one another."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    height = 1.1 + 0.28 * max(map(len, panels.values()))
    figure = Figure(
        figsize=(1.5 + (5 if columns < 3 else 3.5) * columns, rows * height), layout="constrained"
    )
    places = figure.subplots(rows, columns, squeeze=False).flat
    for (title, values), axes in zip(panels.items(), places, strict=False):
        dots(axes, values, label)
        axes.set_title(title, fontsize=10)
    for axes in list(places):
        axes.remove()
    style.save(figure, path)
