"""Draws a critical-difference diagram as a picture."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.reporting.benchmark.critical import Diagram, Label
from orchestrator.reporting.benchmark.looks import Look

_LINE = 0.24
"""Inches per line of text."""
_ABOVE = 3.6
"""Lines of text above the axis."""


def draw_diagram(diagram: Diagram, looks: Mapping[str, Look]) -> Figure:
    """The diagram on a figure that is as wide and high as its labels need."""
    low, high = diagram.limits
    middle = min(9.0, max(4.5, 0.55 * (high - low)))
    side = 0.35 + 0.082 * max(len(label.text) for label in diagram.labels)
    height = _LINE * (_ABOVE + diagram.depth + 1)
    figure = Figure(figsize=(middle + 2 * side, height))
    axis = figure.add_axes((side / (middle + 2 * side), 0.0, middle / (middle + 2 * side), 1.0))
    axis.set_xlim(*diagram.edges)
    axis.set_ylim(diagram.depth + 1, -_ABOVE)
    axis.axis("off")
    figure.text(0.5, 1 - 0.5 * _LINE / height, diagram.title, ha="center", va="top", fontsize=10.5)
    _ruler(axis, diagram)
    for label in diagram.labels:
        _label(axis, label, diagram, looks[label.method])
    for bar in diagram.bars:
        axis.plot(
            [bar.low, bar.high],
            [bar.y, bar.y],
            color="black",
            linewidth=4,
            solid_capstyle="butt",
            zorder=4,
            clip_on=False,
        )
    return figure


def _ruler(axis: Axes, diagram: Diagram) -> None:
    low, high = diagram.limits
    axis.plot([low, high], [0, 0], color="black", linewidth=1.2, clip_on=False)
    for rank in range(low, high + 1):
        axis.plot([rank, rank], [0, -0.3], color="black", linewidth=1.2, clip_on=False)
        axis.text(rank, -0.42, str(rank), ha="center", va="bottom", fontsize=9)
    y = -1.65
    end = low + diagram.difference
    axis.plot([low, end], [y, y], color="black", linewidth=1.2)
    for x in (low, end):
        axis.plot([x, x], [y - 0.15, y + 0.15], color="black", linewidth=1.2, clip_on=False)
    text = diagram.scale
    axis.annotate(text, (end, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9)


def _label(axis: Axes, label: Label, diagram: Diagram, look: Look) -> None:
    left = label.side == "left"
    edge = diagram.edges[0] if left else diagram.edges[1]
    x, y = [label.rank, label.rank, edge], [0, label.y, label.y]
    axis.plot(x, y, color=look.color, linewidth=1.4, solid_joinstyle="miter", clip_on=False)
    axis.annotate(
        label.text,
        (edge, label.y),
        xytext=(-5 if left else 5, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=9.5,
        annotation_clip=False,
    )
