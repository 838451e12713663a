"""A benchmark study as one interactive page that needs nothing from the network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

import plotly.io

from orchestrator.analysis.counting import RULE
from orchestrator.benchmark.records import TaskRecord
from orchestrator.reporting.benchmark import charts, critical, html_tables, matrices, panels
from orchestrator.reporting.benchmark.charts import Chart
from orchestrator.reporting.benchmark.page_script import SCRIPT, STYLE
from orchestrator.reporting.benchmark.panels import Panel
from orchestrator.reporting.benchmark.pictures import TIMES
from orchestrator.reporting.benchmark.report_summary import summary
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.document import document

Section = tuple[str, str, str]
"""Its name within the page, its heading, and its HTML."""


def page(view: View) -> str:
    """The page as HTML."""
    sections = [section for section in _sections(view) if section[2]]
    contents = "".join(f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in sections)
    parts = [
        f'<div class="summary">{"".join(f"<p>{escape(one)}</p>" for one in summary(view))}</div>',
        f"<nav><ul>{contents}</ul></nav>",
        *(
            f'<section id="{name}"><h2>{escape(heading)}</h2>{body}</section>'
            for name, heading, body in sections
        ),
        f"<script>{SCRIPT.replace('TEMPLATE', _template())}</script>",
    ]
    return document(view.title, "\n".join(parts), STYLE)


def _sections(view: View) -> Iterable[Section]:
    yield "ranks", "Mean ranks", _ranks(view)
    yield "critical", "Critical differences", _critical(view)
    yield "pairs", "Methods in pairs", _pairs(view)
    yield "anytime", "Anytime performance", _anytime(view)
    yield "targets", "Targets reached", _targets(view)
    yield "scores", "Scores by task", _scores(view)
    yield "tasks", "Task by task", _tasks(view)
    yield "table", "All tasks", html_tables.tasks(view)
    yield "omitted", "What was left out or counts in part", html_tables.omitted(view)
    yield "failures", "What failed or ended early", html_tables.failures(view)


def _ranks(view: View) -> str:
    if not view.groups:
        return ""
    text = "Ranks on each task by the mean normalised score; 1 is best. Click on a heading to sort."
    return _said(text) + html_tables.ranks(view) + _said(RULE)


def _critical(view: View) -> str:
    drawn = [
        _chart(charts.critical_difference(one, view.looks), one.title) for one in critical.diagrams(view)
    ]
    text = (
        "Methods under a common bar do not differ significantly: their mean ranks are less than Nemenyi's "
        "critical difference apart (α = 0.05), or the Friedman test finds no difference at all."
    )
    tests = html_tables.tests(view)
    return _said(text) + "".join(drawn) + tests if drawn else ""


def _pairs(view: View) -> str:
    choices = [(one.title, _chart(charts.pairs(one))) for one in matrices.pairs(view)]
    text = (
        "Wilcoxon's signed-rank test over tasks, p-values corrected by Holm. Blue: the row's method is "
        "significantly better than the column's (α = 0.05); orange: it is worse. The test weighs tasks by "
        "the size of the difference: a method may be better here and have the worse mean rank."
    )
    return _said(text) + _chooser("Group", choices) if choices else ""


def _anytime(view: View) -> str:
    parts = []
    for time in TIMES:
        if shown := panels.overall(view, time):
            parts.append(_chart(charts.lines(shown, view.looks, columns=2)))
    text = (
        "The best that was found at full fidelity so far, normalised by task and averaged over tasks"
        f"{view.banded(', with 95 % intervals over seeds')}. Click on a method in a legend to hide it "
        "in all charts, twice to see it alone."
    )
    return _said(text) + "".join(parts) if parts else ""


def _targets(view: View) -> str:
    shown = panels.targets(view)
    text = "How many of the distances to the optimum, from far to near, were reached, over all seeds."
    return _said(text) + _chart(charts.lines([shown], view.looks)) if shown else ""


def _scores(view: View) -> str:
    scores = matrices.scores(view)
    text = "Mean over seeds; the best mean rank on the left. Colours are logarithmic."
    return _said(text) + _chart(charts.scores(scores)) if scores.tasks else ""


def _tasks(view: View) -> str:
    scored = view.tasks_with(view.analysis.scores["task"])
    choices = [(f"{task.name} ({task.type})", _task(view, task)) for task in scored]
    bands = view.banded(", with quartiles")
    text = f"The best that was found at full fidelity so far: the mean over seeds{bands}."
    return _said(text) + _chooser("Task", choices) if choices else ""


def _task(view: View, task: TaskRecord) -> str:
    parts = [_said(html_tables.described(task)), html_tables.finals(view, task)]
    shown: list[Panel | None] = [panels.course(view, task, time) for time in TIMES]
    parts += [_chart(charts.lines([panel], view.looks)) for panel in shown if panel]
    if surface := panels.attainment(view, task):
        chart = charts.lines([surface], view.looks)
        text = "Attained by a half of the seeds" + view.banded("; thin: by a quarter, and by three quarters")
        parts.append(_said(f"{text}.") + _chart(chart))
    return "".join(parts)


def _said(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _chart(chart: Chart, title: str = "") -> str:
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    data = json.dumps(chart, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    height = chart["layout"]["height"]
    return (
        f'<figure>{heading}<div class="chart" style="height: {height:.0f}px">'
        f'<script type="application/json">{data}</script></div></figure>'
    )


def _chooser(label: str, choices: Sequence[tuple[str, str]]) -> str:
    """One of several parts at a time; all of them where there is only one."""
    options = "".join(f"<option>{escape(name)}</option>" for name, _ in choices)
    bodies = "".join(f'<div class="choice" hidden>{body}</div>' for _, body in choices)
    select = f"<label>{escape(label)} <select>{options}</select></label>"
    steps = '<button title="previous">‹</button><button title="next">›</button>'
    return f'<div class="chooser"><p class="choose">{select}{steps}</p>{bodies}</div>'


def _template() -> str:
    """plotly's white template without what no chart here needs."""
    template = plotly.io.templates["plotly_white"].to_plotly_json()
    return json.dumps({"layout": template["layout"]}, separators=(",", ":"))
