"""Draws a benchmark study as pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from orchestrator.reporting.benchmark import critical, matrices, panels
from orchestrator.reporting.benchmark.diagram_picture import draw_diagram
from orchestrator.reporting.benchmark.looks import Look
from orchestrator.reporting.benchmark.matrix_pictures import draw_pairs, draw_scores
from orchestrator.reporting.benchmark.panels import Line, Panel, Time
from orchestrator.reporting.benchmark.view import View, group_name
from orchestrator.reporting.style import logarithmic_axis, plain

PER_PICTURE = 12
"""Tasks in one picture."""
TIMES: tuple[Time, ...] = ("evaluations", "seconds")


def pictures(view: View) -> Iterator[tuple[str, Figure]]:
    """All pictures that there is something to show on, by name."""
    for diagram in critical.diagrams(view):
        yield f"critical_difference_{diagram.group}", draw_diagram(diagram, view.looks)
    if view.groups:
        yield "ranks", ranks(view)
    for pairs in matrices.pairs(view):
        yield f"pairs_{pairs.group}", draw_pairs(pairs)
    for time in TIMES:
        if overall := panels.overall(view, time):
            yield (
                f"overall_{time}",
                draw(
                    view,
                    "anytime performance" + view.banded(", with 95 % intervals over seeds"),
                    overall,
                    columns=2,
                    size=(6.2, 3.8),
                ),
            )
    if targets := panels.targets(view):
        yield "ecdf", draw(view, "targets reached", [targets], columns=1, size=(8.0, 5.0))
    scores = matrices.scores(view)
    if scores.tasks:
        yield "heat_map", draw_scores(scores)
    tasks = view.results.tasks.values()
    for time in TIMES:
        courses = [panels.course(view, task, time) for task in tasks]
        yield from _in_parts(
            view, f"curves_{time}", "incumbents, mean over seeds" + view.banded(", with quartiles"), courses
        )
    surfaces = [panels.attainment(view, task) for task in tasks]
    yield from _in_parts(
        view,
        "attainment",
        "attained by half of the seeds" + view.banded("; thin: by a quarter, and by three quarters"),
        surfaces,
    )


def _in_parts(
    view: View, name: str, title: str, found: Sequence[Panel | None]
) -> Iterator[tuple[str, Figure]]:
    there = [panel for panel in found if panel is not None]
    for number, start in enumerate(range(0, len(there), PER_PICTURE), start=1):
        shown = there[start : start + PER_PICTURE]
        yield f"{name}_{number}", draw(view, title, shown, columns=3, size=(4.9, 3.4))


def draw(view: View, title: str, shown: Sequence[Panel], columns: int, size: tuple[float, float]) -> Figure:
    """Panels side by side, with one legend; ``size`` of a panel in inches."""
    columns = min(columns, len(shown))
    rows = math.ceil(len(shown) / columns)
    drawn = {line.method for panel in shown for line in panel.lines}
    methods = [method for method in view.looks if method in drawn]
    width = max(8.0, size[0] * columns)
    across = min(len(methods), max(1, int(width / (0.75 + 0.085 * max(map(len, methods))))))
    legend = 0.2 + 0.21 * math.ceil(len(methods) / across)
    height = 0.4 + size[1] * rows + legend
    figure = Figure(figsize=(width, height))
    axes = _axes(figure, rows, columns, size[1], legend)
    for axis, panel in zip(axes, shown, strict=False):
        _draw(axis, panel, view)
    for axis in axes[len(shown) :]:
        axis.remove()
    figure.suptitle(f"{view.results.name}: {title}", y=1 - 0.12 / height, va="top", fontsize=11)
    handles = [_sample(method, view.looks[method]) for method in methods]
    figure.legend(
        handles=handles, loc="lower center", ncols=across, frameon=False, fontsize=9, handlelength=3
    )
    return figure


def _axes(figure: Figure, rows: int, columns: int, height: float, below: float) -> list[Axes]:
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
    axis.set_title(panel.title, loc="left", fontsize=9.5)
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


def ranks(view: View) -> Figure:
    """Mean ranks as bars, the best on top, one panel per group."""
    table = view.analysis.ranks
    shown = view.groups
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    most = max(int((table["group"] == group).sum()) for group in shown)
    figure = Figure(figsize=(max(6.5, 4.4 * columns), 0.7 + rows * (0.8 + 0.26 * most)), layout="constrained")
    figure.suptitle(f"{view.results.name}: mean ranks", fontsize=11)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, group in zip(axes, shown, strict=False):
        own = table[table["group"] == group].sort_values("rank", kind="stable")
        values = own["rank"].to_numpy(float)
        bars = axis.barh(
            own["method"], values, color=[view.looks[m].color for m in own["method"]], height=0.65
        )
        axis.bar_label(bars, [f"{value:.2f}" for value in values], padding=3, fontsize=8)
        axis.set_title(f"{group_name(group)} ({own['tasks'].max()})", loc="left", fontsize=9.5)
        axis.set_xlabel("mean rank (1 is best)", fontsize=9)
        axis.set_xlim(0, 1.15 * np.nanmax(values))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.tick_params(labelsize=8)
        axis.set_ylim(len(own) - 0.4, -0.6)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(shown) :]:
        axis.remove()
    return figure
