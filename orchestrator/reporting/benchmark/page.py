"""A benchmark study as one interactive page that needs nothing from the network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from html import escape

import plotly.io

from orchestrator.reporting.benchmark import html_tables
from orchestrator.reporting.benchmark.page_script import SCRIPT, STYLE
from orchestrator.reporting.benchmark.report_summary import summary
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.document import Section, document, paragraph


def page(view: View, figures: Iterable[Section]) -> str:
    """The page as HTML: a summary, the figures, and tables of what they do not show."""
    sections = [*figures, *_tables(view)]
    contents = "".join(f'<li><a href="#{one.name}">{escape(one.heading)}</a></li>' for one in sections)
    parts = [
        f'<div class="summary">{"".join(map(paragraph, summary(view)))}</div>',
        f"<nav><ul>{contents}</ul></nav>",
        *(f'<section id="{one.name}"><h2>{escape(one.heading)}</h2>{one.html}</section>' for one in sections),
        f"<script>{SCRIPT.replace('TEMPLATE', _template())}</script>",
    ]
    return document(view.title, "\n".join(parts), STYLE)


def _tables(view: View) -> Iterator[Section]:
    yield Section("table", "All tasks", html_tables.tasks(view))
    yield Section("omitted", "What was left out or counts in part", html_tables.omitted(view))
    yield Section("failures", "What failed or ended early", html_tables.failures(view))


def _template() -> str:
    """plotly's white template without what no chart here needs."""
    template = plotly.io.templates["plotly_white"].to_plotly_json()
    return json.dumps({"layout": template["layout"]}, separators=(",", ":"))
