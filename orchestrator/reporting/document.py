"""Interactive pages that need nothing from the network."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: "Open Sans", Verdana, Arial, sans-serif; color: #2a3f5f; }}
body {{ margin: 1.5rem auto; max-width: 1150px; padding: 0 1rem; }}
h1 {{ font-size: 1.25rem; }}
h2 {{ font-size: 1.05rem; margin: 2rem 0 0.3rem; }}
p {{ margin: 0.2rem 0 0.6rem; font-size: 0.9rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 0.85rem; }}
th, td {{ padding: 0.25rem 0.8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }}
{style}
</style>
<script>{script}</script>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


@dataclass(frozen=True)
class Section:
    """A part of a page: its name within the page, its heading, and its HTML."""

    name: str
    heading: str
    html: str


def document(title: str, body: str, style: str = "") -> str:
    """A page with plotly.js in it, once; ``body`` is HTML, ``style`` are CSS rules of its own."""
    return _PAGE.format(title=escape(title), style=style, script=get_plotlyjs(), body=body)


def embedded(figure: go.Figure) -> str:
    """A figure as a part of such a page."""
    html: str = figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False})
    return html


def headed(section: Section) -> str:
    """A section below its heading."""
    return f'<h2 id="{section.name}">{escape(section.heading)}</h2>\n{section.html}'


def paragraph(text: str) -> str:
    """Plain text as a paragraph of such a page."""
    return f"<p>{escape(text)}</p>"


def captioned(text: str, figure: go.Figure) -> str:
    """A figure below a paragraph of plain text."""
    return f"{paragraph(text)}\n{embedded(figure)}"


def laid_out(height: int, figure: go.Figure | None = None) -> go.Figure:
    """The figure (None: a new one) with our margins, and its legend above the plot."""
    figure = figure or go.Figure()
    figure.update_layout(
        template="plotly_white",
        height=height,
        hovermode="closest",
        margin={"t": 50, "b": 40, "l": 70, "r": 20},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    return figure
