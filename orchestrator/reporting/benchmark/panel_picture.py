"""Draws panels of lines as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from orchestrator.reporting.benchmark.looks import Look
from orchestrator.reporting.benchmark.panels import Line, Panel
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.style import logarithmic_axis, plain

PER_PICTURE = 12
"""Tasks in one picture."""
_MINOR_TICKS = 6
"""Panels up to which axes have them; for a dozen they would take as long to draw as all the rest."""


def in_parts(view: View, title: str, panels: Sequence[Panel]) -> Iterator[tuple[str, Picture]]:
    """Pictures of a dozen panels each, by their number from 1."""
    for number, start in enumerate(range(0, len(panels), PER_PICTURE), start=1):
        yield str(number), draw(view, title, panels[start : start + PER_PICTURE], columns=3, size=(4.9, 3.4))


def draw(view: View, title: str, shown: Sequence[Panel], columns: int, size: tuple[float, float]) -> Picture:
    """Panels side by side, with one legend; ``size`` of a panel in inches."""
    columns = min(columns, len(shown))
    rows = math.ceil(len(shown) / columns)
    drawn = {line.method for panel in shown for line in panel.lines}
    methods = [method for method in view.looks if method in drawn]
    width = max(8.0, size[0] * columns)
    across = min(len(methods), max(1, int(width / (0.75 + 0.085 * max(map(len, methods))))))
    legend = 0.2 + 0.21 * math.ceil(len(methods) / across)
    height = 0.4 + size[1] * rows + legend
    figure = Picture(figsize=(width, height))
    axes = _axes(figure, rows, columns, size[1], legend)
    for axis, panel in zip(axes, shown, strict=False):
        _draw(axis, panel, view)
        if len(shown) > _MINOR_TICKS:
            axis.minorticks_off()
    for axis in axes[len(shown) :]:
        axis.remove()
    figure.suptitle(f"{view.results.name}: {title}", y=1 - 0.12 / height, va="top", fontsize=11)
    handles = [_sample(method, view.looks[method]) for method in methods]
    figure.legend(
        handles=handles, loc="lower center", ncols=across, frameon=False, fontsize=9, handlelength=3
    )
    return figure


def _axes(figure: Picture, rows: int, columns: int, height: float, below: float) -> list[Axes]:
    """A grid with room for labels; matplotlib's own layout would take as long as drawing does."""
    width, total = figure.get_size_inches()
    left, right, across, title, label = 0.8, 0.15, 0.85, 0.3, 0.5
    panel = (width - left - right - across * (columns - 1)) / columns
    axes = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        top=1 - (0.4 + title) / total,
        bottom=(below + label) / total,
        wspace=across / panel,
        hspace=(title + label) / (height - title - label),
    )
    return list(axes.ravel())


def _sample(method: str, look: Look) -> Line2D:
    return Line2D([], [], color=look.color, linestyle=look.linestyle, linewidth=2, label=method)


def _draw(axis: Axes, panel: Panel, view: View) -> None:
    for line in panel.lines:
        _draw_line(axis, line, view)
    if panel.log_x:
        logarithmic_axis(axis, "x")
    else:
        axis.margins(x=0.01)
    if panel.percent:
        axis.xaxis.set_major_formatter(PercentFormatter(1.0))
    if panel.log_y:
        logarithmic_axis(axis, "y")
    elif panel.y_limits:
        axis.set_ylim(panel.y_limits)
    # Without ``y``, matplotlib would measure all labels of the axis, twice, to keep clear of those on top.
    axis.set_title(panel.title, loc="left", fontsize=9.5, y=1.0)
    axis.set_xlabel(panel.x_label, fontsize=9)
    axis.set_ylabel(panel.y_label, fontsize=9)
    axis.tick_params(labelsize=8)
    plain(axis)


def _draw_line(axis: Axes, line: Line, view: View) -> None:
    look = view.looks[line.method]
    if line.low is not None and line.high is not None:
        axis.fill_between(line.x, line.low, line.high, step="post", color=look.color, alpha=0.13, linewidth=0)
    axis.plot(
        line.x,
        line.y,
        drawstyle="steps-post" if line.steps else "default",
        color=look.color,
        linestyle=look.linestyle,
        linewidth=0.7 if line.thin else 1.7,
        alpha=0.7 if line.thin else 1.0,
    )
