"""Interactive pages that need nothing from the network: one template, style sheet and script for all."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment
from markupsafe import Markup
from plotly.offline import get_plotlyjs

Chart = dict[str, Any]
"""A plotly figure as plain data. A page may hold hundreds and draws one when it is looked at."""

TALL = 30
"""Tables of more rows scroll."""
MOST_BYTES = 400_000
"""Choices that are longer together are packed, and unpacked when they are chosen."""
PACKED_TOGETHER = 20
"""So many choices share a pack: more are packed better, fewer are unpacked sooner."""


_BETWEEN, _BETWEEN_TURNED = 100, 70
"""Least pixels between two parallel coordinates, and where their headings are turned."""
_CHARACTER = 6.5
"""How wide a character of a heading is, in pixels."""
_TURN = 30
"""By how many degrees headings are turned that would overlap."""


@dataclass(frozen=True)
class Section:
    """A part of a page: its name within the page, its heading, and its HTML."""

    name: str
    heading: str
    html: str


def document(
    title: str,
    sections: Iterable[Section],
    summary: Sequence[str] = (),
    configurations: Mapping[str, str] | None = None,
) -> str:
    """A page.

    Args:
        title: of the page.
        sections: in their order; where there are several, links to them stand on top.
        summary: plain sentences about what came out, the most important first.
        configurations: YAML by name. A click on a point whose ``customdata`` is a name, or on a row whose
            ``data-configuration`` is, shows it.
    """
    every = list(sections)
    drawn = any('class="chart"' in one.html or "data-pack" in one.html for one in every)
    values = {"title": title, "sections": every, "summary": list(summary), **_library(drawn)}
    values["configurations"] = Markup(packed(json.dumps(dict(configurations)))) if configurations else ""
    resources = {"css": Markup(_resource("page.css")), "script": Markup(_resource("page.js"))}
    template = Environment(autoescape=True).from_string(_resource("page.html.j2"))
    return str(template.render(**values, **resources)) + "\n"


def charted(chart: Chart, title: str = "") -> str:
    """A chart, below its title if it has one."""
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    data = json.dumps(chart, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    height = chart["layout"]["height"]
    return (
        f'<figure>{heading}<div class="chart" style="height: {height:.0f}px">'
        f'<script type="application/json">{data}</script></div></figure>'
    )


def embedded(figure: go.Figure) -> str:
    """A figure as a part of a page."""
    chart: Chart = json.loads(figure.to_json())
    chart["layout"].pop("template", None)
    return charted({"data": chart["data"], "layout": chart["layout"]})


def chooser(label: str, choices: Sequence[tuple[str, str]]) -> str:
    """One of several parts at a time, by name and HTML."""
    options = "".join(f"<option>{escape(name)}</option>" for name, _ in choices)
    select = f"<label>{escape(label)} <select>{options}</select></label>"
    steps = '<button title="previous">‹</button><button title="next">›</button>'
    choose = f'<p class="choose">{select}{steps}</p>'
    if sum(len(body) for _, body in choices) <= MOST_BYTES:
        bodies = "".join(f'<div class="choice" hidden>{body}</div>' for _, body in choices)
        return f'<div class="chooser">{choose}{bodies}</div>'
    starts = range(0, len(choices), PACKED_TOGETHER)
    packs = ([body for _, body in choices[start : start + PACKED_TOGETHER]] for start in starts)
    stored = "".join(
        f'<script type="text/plain" data-pack="{number}">{packed(json.dumps(bodies))}</script>'
        for number, bodies in enumerate(packs)
    )
    return (
        f'<div class="chooser" data-each="{PACKED_TOGETHER}">{choose}<div class="choice"></div>{stored}</div>'
    )


def packed(text: str) -> str:
    """Text as the page's script unpacks it; the same text gives the same."""
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def paragraph(text: str) -> str:
    """Plain text as a paragraph of such a page."""
    return f"<p>{escape(text)}</p>"


def captioned(text: str, figure: go.Figure) -> str:
    """A figure below a paragraph of plain text."""
    return f"{paragraph(text)}\n{embedded(figure)}"


def laid_out(height: int, figure: go.Figure | None = None) -> go.Figure:
    """The figure (None: a new one) with our margins; the page gives it its legend and colours."""
    figure = figure or go.Figure()
    figure.update_layout(height=height, hovermode="closest", margin={"t": 30, "b": 40, "l": 70, "r": 20})
    return figure


def parallel(height: int, dimensions: Sequence[Mapping[str, Any]], line: Mapping[str, Any]) -> go.Figure:
    """Parallel coordinates whose headings do not overlap: long ones are turned, and a narrow page scrolls.

    Args:
        height: of the chart, in pixels, without the room that turned headings take.
        dimensions: as plotly wants them, each with its ``label``.
        line: how the lines are coloured.
    """
    longest = _CHARACTER * max((len(one["label"]) for one in dimensions), default=0)
    turned, angle = longest > _BETWEEN, math.radians(_TURN)
    # Turned headings begin at their axis, and the last one leans beyond it.
    rise, lean = (int(longest * math.sin(angle)), int(longest * math.cos(angle))) if turned else (0, 0)
    figure = laid_out(height + rise)
    figure.add_parcoords(dimensions=dimensions, line=line, labelangle=-_TURN if turned else 0)
    margin = {"l": 90, "r": max(90, lean), "t": 60 + rise, "b": 30}
    width = (_BETWEEN_TURNED if turned else _BETWEEN) * len(dimensions) + lean
    figure.update_layout(margin=margin, meta={"least_width": width})
    return figure


def _resource(name: str) -> str:
    return (files("orchestrator.reporting") / "templates" / name).read_text(encoding="utf-8")


@cache
def _packed_library() -> tuple[str, str]:
    code = get_plotlyjs()
    name = next(line.strip(" */") for line in code.splitlines() if "plotly.js v" in line)
    return name, packed(code)


def _library(drawn: bool) -> dict[str, Any]:
    """plotly.js and its name, as the template wants them; nothing where the page has no chart."""
    name, library = _packed_library() if drawn else ("no charts", "")
    return {"library_name": name, "library": Markup(library)}
