"""What a paper takes from a report: tables in LaTeX, vector pictures, effect sizes, provenance."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure as Picture
from scipy import stats

from orchestrator.analysis.analysis import analyse
from orchestrator.reporting.benchmark import details, latex
from orchestrator.reporting.benchmark.latex import escaped, latex_tables
from orchestrator.reporting.benchmark.page import page
from orchestrator.reporting.benchmark.pairs import PAIRS
from orchestrator.reporting.benchmark.report_summary import summary
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.document import chooser, document, packed
from orchestrator.reporting.reproduction import reproduction
from orchestrator.reporting.style import save_vector
from orchestrator.run.directory import RunDirectory
from tests.orchestrator.analysis import made


@pytest.fixture(scope="module")
def view() -> View:
    results = made.results(made.four_types(2), seeds=range(3))
    cells = results.cells.assign(thinking=0.5)
    results = type(results)(**{**vars(results), "cells": cells})
    return View.of(results, analyse(results, {}))


def test_latex_tables_have_as_many_cells_in_every_line(view: View) -> None:
    tables = latex_tables(view)
    assert set(tables) == {"ranks", "pairs", "scores"}
    for text in tables.values():
        columns = len(re.search(r"\\begin{tabular}{(\w+)}", text)[1])  # type: ignore[index]
        lines = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(lines) > 1 and {line.count(" & ") for line in lines} == {columns - 1}
        assert r"\toprule" in text and r"\bottomrule" in text
    assert r"\textbf{1.00}" in tables["ranks"] and r"3.00$^\dagger$" in tables["ranks"]
    assert "8 tasks, 3 seeds" in tables["ranks"], "n stands beside the numbers"


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.5, np.inf]), min_size=1, max_size=12), min_size=1, max_size=4
    ),
    st.booleans(),
)
def test_several_rank_sum_tests_at_once_are_the_same_as_one_by_one(
    samples: list[list[float]], long: bool
) -> None:
    if long:
        samples = [(one * 12)[:12] for one in samples]
    pairs = list(product(map(np.array, samples), repeat=2))  # each of the methods as the best
    for (own, best), p in zip(pairs, latex._rank_sums(pairs), strict=True):
        alone = np.append(own, best)
        same = (alone == alone[0]).all()
        assert p == (1.0 if same else stats.mannwhitneyu(own, best).pvalue)


def test_what_latex_would_take_for_commands_is_escaped() -> None:
    assert escaped("a_b & 50 % {x} \\ ~") == r"a\_b \& 50 \% \{x\} \textbackslash{} \textasciitilde{}"


def test_vector_pictures_are_repeatable(tmp_path: Path) -> None:
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        figure = Picture()
        figure.subplots().plot([1, 2])
        save_vector(figure, folder / "line")
    for ending in ("pdf", "svg"):
        first, second = ((tmp_path / name / f"line.{ending}").read_bytes() for name in ("first", "second"))
        assert first == second and len(first) > 1000


def test_the_page_has_every_table(view: View) -> None:
    names = [section.name for section in details.sections(view)]
    assert names == ["targets", "breakdown", "stability", "fronts", "times"]
    html = page(view, [])
    assert all(f'href="#{name}"' in html for name in names)


def test_a_matrix_in_which_nothing_could_be_significant_is_left_out(view: View) -> None:
    shown = PAIRS.describe(view)
    assert shown is not None
    html = PAIRS.section(view, shown)
    assert html.count("test can find no difference significant") == 4
    assert html.count('class="chart"') == 1, "eight tasks are enough for three pairs"


def test_few_tasks_get_a_warning(view: View) -> None:
    assert any(sentence.startswith("8 tasks are few") for sentence in summary(view))
    many = made.results([made.task("BB", number) for number in range(1, 11)], seeds=range(2))
    assert not any("few" in sentence for sentence in summary(View.of(many, analyse(many, {}))))


def test_the_first_sentence_is_about_all_tasks(view: View) -> None:
    assert summary(view)[0].startswith("On all 8 tasks with 3 seeds")


def test_a_report_says_how_to_compute_it_again(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert reproduction([run]) is None
    entry = {"time": "now", "command": "python -m orchestrator +study=<x>", "python": "3.12"}
    entry |= {"versions": {"numpy": "2.0"}, "commits": {"/home/me/code": "abc"}, "hardware": {"cores": 2}}
    run.provenance.write_text(json.dumps([entry]))
    run.config.write_text(yaml.safe_dump({"seed": 3, "tracking": {"uri": "http://secret"}}))
    section = reproduction([run])
    assert section is not None
    for text in ("+study=&lt;x&gt;", "numpy 2.0", "code abc", "2 cores", "seed: 3"):
        assert text in section.html
    assert "secret" not in section.html and "/home/me" not in section.html


def test_many_choices_are_packed_and_few_are_not() -> None:
    few = chooser("Task", [("a", "<p>one</p>"), ("b", "<p>two</p>")])
    assert "<p>one</p>" in few and "data-pack" not in few
    many = chooser("Task", [(str(place), "x" * 50_000) for place in range(30)])
    assert many.count("data-pack=") == 2 and len(many) < 10_000
    assert packed("same") == packed("same")


def test_pages_fit_phones_and_follow_the_dark(view: View) -> None:
    html = document("title", [])
    assert 'name="viewport"' in html and "prefers-color-scheme: dark" in html
    assert len(html) < 50_000, "a page without charts does not carry plotly"
