"""A benchmark study as one interactive page that needs nothing from the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.reporting.benchmark import html_tables
from orchestrator.reporting.benchmark.report_summary import summary
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.document import Section, document


def page(view: View, figures: Iterable[Section]) -> str:
    """The page as HTML: a summary, the figures, and tables of what they do not show."""
    return document(view.title, [*figures, *_tables(view)], summary(view))


def _tables(view: View) -> Iterator[Section]:
    yield Section("table", "All tasks", html_tables.tasks(view))
    yield Section("omitted", "What was left out or counts in part", html_tables.omitted(view))
    yield Section("failures", "What failed or ended early", html_tables.failures(view))
