"""Critical-difference diagrams: which methods differ significantly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from orchestrator.reporting.benchmark import html_tables
from orchestrator.reporting.benchmark.critical import Bar, Diagram, Label, diagrams
from orchestrator.reporting.benchmark.looks import Look
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.document import Chart, charted, paragraph
from orchestrator.reporting.figure import Figure

_LINE = 0.24
"""Inches per line of text."""
_ABOVE = 3.6
"""Lines of text above the axis of a picture."""
_TEXT_LINE = 21
"""Pixels per line of text."""
_CHART_ABOVE = 2.9
"""Lines of text above the axis of a chart, whose title stands outside it."""

_CAPTION = (
    "Methods under a common bar do not differ significantly: their mean ranks are less than Nemenyi's "
    "critical difference apart (α = 0.05), or the Friedman test finds no difference at all."
)


def picture(diagram: Diagram, looks: Mapping[str, Look]) -> Picture:
    """The diagram on a figure that is as wide and high as its labels need."""
    low, high = diagram.limits
    middle = min(9.0, max(4.5, 0.55 * (high - low)))
    side = 0.35 + 0.082 * max(len(label.text) for label in diagram.labels)
    height = _LINE * (_ABOVE + diagram.depth + 1)
    figure = Picture(figsize=(middle + 2 * side, height))
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


def chart(diagram: Diagram, looks: Mapping[str, Look]) -> Chart:
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
        "height": _TEXT_LINE * (_CHART_ABOVE + diagram.depth + 1),
        "margin": {"t": 0, "b": 0, "l": side, "r": side},
        "xaxis": {**hidden, "range": [left_edge, right_edge]},
        "yaxis": {**hidden, "range": [diagram.depth + 1, -_CHART_ABOVE]},
        "shapes": shapes,
        "dragmode": False,
        "annotations": texts,
        # Narrower, the numbers of the ranks would overlap: the page scrolls then.
        "meta": {"least_width": round(2 * side + 24 * (high - low))},
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


def _stroke(
    points: Sequence[tuple[float, float]], color: str = "#000000", width: float = 1.5
) -> dict[str, Any]:
    path = "M" + "L".join(f"{x:.6g},{y:.6g}" for x, y in points)
    return {"type": "path", "path": path, "line": {"color": color, "width": width}}


def _text(text: str, x: float, y: float, anchor: str, shift: float = 0) -> dict[str, Any]:
    place = {"x": x, "y": y, "xanchor": anchor, "yanchor": "middle", "xshift": shift}
    return {**place, "text": escape(text), "showarrow": False, "font": {"size": 13, "color": "#000000"}}


def _pictures(view: View, shown: Sequence[Diagram]) -> Iterator[tuple[str, Picture]]:
    for diagram in shown:
        yield diagram.group, picture(diagram, view.looks)


def _section(view: View, shown: Sequence[Diagram]) -> str:
    drawn = [charted(chart(one, view.looks), one.title) for one in shown]
    return paragraph(_CAPTION) + "".join(drawn) + html_tables.tests(view)


CRITICAL_DIFFERENCE: Figure[View, Sequence[Diagram]] = Figure(
    name="critical_difference",
    heading="Critical differences",
    serves="groups of tasks on which the Friedman test compares at least three methods",
    describe=lambda view: diagrams(view) or None,
    draw=_pictures,
    section=_section,
    parts="group",
)
