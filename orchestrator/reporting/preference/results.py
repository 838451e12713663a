"""The files that a preference study leaves for people and notebooks."""

from __future__ import annotations

from html import escape
from pathlib import Path

import yaml

from orchestrator.preference import frames
from orchestrator.preference.history import PreferenceHistory
from orchestrator.preference.questions import harmless
from orchestrator.preference.standings import record
from orchestrator.reporting.document import TALL, Section, document
from orchestrator.reporting.preference.summary import PAGE, deviation, outcome
from orchestrator.reporting.preference.utilities import described
from orchestrator.run.results import replacing, write_table

_BEST = "best.yaml"


def write_results(folder: Path, history: PreferenceHistory) -> Path:
    """Write everything into ``folder``, replacing what an earlier call wrote; returns the folder.

    - ``options.parquet``, ``answers.parquet``: see :mod:`orchestrator.preference.frames`.
    - ``utilities.png``, and ``study.html``, which has the same and both tables.
    - ``best.yaml``: the configuration with the highest posterior utility, as ``search.initial`` takes it.
    """
    from orchestrator.reporting.figure import Drawing
    from orchestrator.reporting.figures import PREFERENCE

    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "options.parquet", frames.options(history))
    write_table(folder / "answers.parquet", frames.answers(history))
    (folder / _BEST).unlink(missing_ok=True)
    if history.standing is not None:
        best = history.options[history.standing.options[0]]
        with replacing(folder / _BEST) as path:
            text = yaml.safe_dump(dict(best.config), sort_keys=False, allow_unicode=True)
            path.write_text(text, encoding="utf-8")
    drawing = Drawing(PREFERENCE, history)
    drawing.write(folder)
    sections = [*drawing.sections(), *_tables(history)]
    with replacing(folder / PAGE) as path:
        path.write_text(document(history.start.study, sections, list(outcome(history))), encoding="utf-8")
    return folder


def _tables(history: PreferenceHistory) -> list[Section]:
    if (standing := history.standing) is None:
        return []
    rows = []
    for place, option in enumerate(standing.options):
        utility = deviation(standing.utilities[place], standing.deviations[place])
        better, worse, equal = map(str, record(history, option))
        rows.append([str(option), described(history.options[option]), utility, better, worse, equal])
    head = ["option", "result", "utility", "better", "worse", "no difference"]
    asked = [
        [str(n), str(one.first), str(one.second), {"equal": "no difference"}.get(one.answer, one.answer)]
        for n, one in enumerate(history.comparisons, start=1)
    ]
    return [
        Section("options", "Options", _table(head, rows, text=1)),
        Section("answers", "Answers", _table(["question", "first", "second", "better"], asked, text=3)),
    ]


def _table(head: list[str], rows: list[list[str]], text: int) -> str:
    """A table whose column ``text`` holds words."""

    def cells(row: list[str], kind: str) -> str:
        marked = (' class="text"' if place == text else "" for place in range(len(row)))
        pairs = zip(row, marked, strict=True)
        return "".join(f"<{kind}{mark}>{escape(harmless(cell))}</{kind}>" for cell, mark in pairs)

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    wide = "wide tall" if len(rows) > TALL else "wide"
    table = f"<table><thead><tr>{cells(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="{wide}">{table}</div>'
