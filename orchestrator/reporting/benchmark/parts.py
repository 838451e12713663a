"""Parts of a benchmark study's page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

Chart = dict[str, Any]
"""A plotly figure as a plain dictionary. A page holds some hundred and draws one when it is looked at."""


def charted(chart: Chart, title: str = "") -> str:
    """A chart, below its title if it has one."""
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    data = json.dumps(chart, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    height = chart["layout"]["height"]
    return (
        f'<figure>{heading}<div class="chart" style="height: {height:.0f}px">'
        f'<script type="application/json">{data}</script></div></figure>'
    )


def chooser(label: str, choices: Sequence[tuple[str, str]]) -> str:
    """One of several parts at a time; all of them where there is only one."""
    options = "".join(f"<option>{escape(name)}</option>" for name, _ in choices)
    bodies = "".join(f'<div class="choice" hidden>{body}</div>' for _, body in choices)
    select = f"<label>{escape(label)} <select>{options}</select></label>"
    steps = '<button title="previous">‹</button><button title="next">›</button>'
    return f'<div class="chooser"><p class="choose">{select}{steps}</p>{bodies}</div>'
