"""A benchmark study as one interactive page that needs nothing from the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.reporting.benchmark import html_tables
from orchestrator.reporting.benchmark.details import sections
from orchestrator.reporting.benchmark.report_summary import summary
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.document import Section, document


def page(view: View, figures: Iterable[Section], origin: Section | None = None) -> str:
    """The page as HTML: a summary, the figures, and tables of what they do not show.

    Args:
        origin: how the results came about.
    """
    last = [origin] if origin else []
    return document(view.title, [*figures, *sections(view), *_tables(view), *last], summary(view))


def _tables(view: View) -> Iterator[Section]:
    yield Section("table", "All tasks", html_tables.tasks(view))
    yield Section("omitted", "What was left out or counts in part", html_tables.omitted(view))
    yield Section("failures", "What failed or ended early", html_tables.failures(view))
