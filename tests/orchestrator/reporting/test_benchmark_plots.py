"""What pictures of a benchmark study show."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.analysis import analyse
from orchestrator.benchmark.records import LeftOut, Results
from orchestrator.reporting.benchmark import (
    attainment,
    critical,
    critical_difference,
    curves,
    heat_map,
    overall,
    pairs,
)
from orchestrator.reporting.benchmark.finals import finals
from orchestrator.reporting.benchmark.looks import looks
from orchestrator.reporting.benchmark.panel_chart import chart as chart_of
from orchestrator.reporting.benchmark.report_summary import summary
from orchestrator.reporting.benchmark.view import View
from orchestrator.reporting.figure import Drawing
from orchestrator.reporting.figures import BENCHMARK
from tests.orchestrator.analysis import made

PICTURES = (
    "ranks",
    "critical_difference",
    "pairs",
    "overall",
    "ecdf",
    "heat_map",
    "curves",
    "attainment",
)
"""How those begin that are tested here; further figures join the contract in ``test_figures.py`` alone."""


def view_of(results: Results) -> View:
    return View.of(results, analyse(results, {}))


@pytest.fixture(scope="module")
def view() -> View:
    return view_of(made.results(made.four_types(2)))


def test_bars_join_exactly_the_methods_that_do_not_differ() -> None:
    # Five methods on 30 tasks: Nemenyi's critical difference is 2.728 * sqrt(5 * 6 / (6 * 30)) = 1.114.
    ranks = {"c": 3.0, "a": 1.5, "d": 3.9, "b": 2.2, "e": 4.4}
    diagram = critical.diagram("BB", "", ranks, 1.114, differ=True)
    assert [bar.methods for bar in diagram.bars] == [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]
    assert [label.method for label in diagram.labels] == ["a", "b", "c", "d", "e"]
    assert diagram.limits == (1, 5)


def test_without_any_difference_one_bar_joins_all_methods() -> None:
    diagram = critical.diagram("BB", "", {"a": 1.0, "b": 2.0, "c": 3.0}, 0.5, differ=False)
    assert [bar.methods for bar in diagram.bars] == [("a", "b", "c")]


@given(st.lists(st.floats(1, 25), min_size=2, max_size=25), st.floats(0.1, 10))
def test_two_methods_are_under_a_common_bar_just_when_they_do_not_differ(
    means: list[float], difference: float
) -> None:
    ranks = {f"method {i}": mean for i, mean in enumerate(means)}
    diagram = critical.diagram("BB", "", ranks, difference, differ=True)
    joined = {frozenset(pair) for bar in diagram.bars for pair in combinations(bar.methods, 2)}
    ordered = sorted(ranks, key=lambda method: ranks[method])
    alike = {frozenset((a, b)) for a, b in combinations(ordered, 2) if ranks[b] - ranks[a] < difference}
    assert joined == alike


@given(st.lists(st.floats(1, 25), min_size=2, max_size=25), st.floats(0.1, 10))
def test_nothing_in_a_diagram_lies_upon_another(means: list[float], difference: float) -> None:
    ranks = {f"method {i}": mean for i, mean in enumerate(means)}
    diagram = critical.diagram("BB", "", ranks, difference, differ=True)
    for side in ("left", "right"):
        lines = sorted(label.y for label in diagram.labels if label.side == side)
        assert (np.diff(lines) > 0.99).all()
    for first, second in combinations(diagram.bars, 2):
        assert first.y != second.y or first.high < second.low
    assert min(label.y for label in diagram.labels) > max((bar.y for bar in diagram.bars), default=0.0)


def test_labels_of_25_methods_stay_inside_of_the_picture() -> None:
    ranks = {f"a_method_with_a_long_name_{i}": 1 + 0.9 * i for i in range(25)}
    diagram = critical.diagram("all", "", ranks, 4.9, differ=True)
    figure = critical_difference.picture(diagram, looks(list(ranks)))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))


def test_every_method_looks_different_and_keeps_its_look() -> None:
    methods = [f"method {i}" for i in range(25)]
    found = looks(methods)
    assert len({(look.color, look.dash) for look in found.values()}) == 25
    assert looks(methods[:3]) == {method: found[method] for method in methods[:3]}


def test_there_is_a_picture_of_whatever_there_is_to_see(view: View) -> None:
    names = [name for name, _ in Drawing(BENCHMARK, view).pictures() if name.startswith(PICTURES)]
    groups = ["BB", "MF", "MO", "MOMF", "all"]
    assert names == [
        "ranks",
        *(f"critical_difference_{group}" for group in groups),
        *(f"pairs_{group}" for group in groups),
        "overall_evaluations",
        "overall_evaluations_ranks",
        "overall_seconds",
        "overall_seconds_ranks",
        "ecdf",
        "heat_map",
        "curves_evaluations_1",
        "curves_seconds_1",
        "attainment_1",
    ]
    few = view_of(made.results([made.task("MF")], {"one": 1.0}))
    assert {"critical_difference_MF", "ecdf", "attainment_1"}.isdisjoint(
        name for name, _ in Drawing(BENCHMARK, few).pictures()
    )


def test_the_group_of_all_tasks_is_left_out_only_where_it_repeats_the_one_other() -> None:
    first, second, several = tasks = [made.task("BB", 1), made.task("BB", 2), made.task("MO", 1)]

    def shown(*pairings: tuple[str, str], failed: tuple[str, ...] = ()) -> tuple[str, ...]:
        left_out = [LeftOut(task, method, "it cannot") for task, method in pairings]
        cells = [(several.name, method, seed) for method in failed for seed in range(5)]
        return view_of(made.results(tasks, left_out=left_out, failed=cells)).groups

    assert view_of(made.results([first, second])).groups == ("BB",)
    assert shown() == ("BB", "MO", "all")
    # No two methods serve all three tasks.
    assert shown((first.name, "poor"), (several.name, "good")) == ("BB", "MO")
    # All is of the same two tasks, without the method that does not serve the third.
    assert shown((several.name, "poor"), failed=("good", "fair")) == ("BB", "all")


def test_curves_are_in_the_units_of_their_task(view: View) -> None:
    tasks = {task.type: task for task in view.results.tasks.values()}
    black_box = curves.course(view, tasks["BB"], "evaluations")
    assert black_box is not None
    assert black_box.x_label == "evaluations at full fidelity"
    assert black_box.y_label == "value: gap to the optimum"
    assert black_box.log_y
    assert all((line.y > 0).all() for line in black_box.lines)
    assert curves.course(view, tasks["BB"], "seconds") is None
    timed = curves.course(view, tasks["MF"], "seconds")
    assert timed is not None
    assert timed.x_label == "simulated time (minutes)"
    last = view.analysis.curves.query("axis == 'seconds' and task == @tasks['MF'].name")["x"].max()
    assert max(line.x.max() for line in timed.lines) == pytest.approx(last / 60)
    several = curves.course(view, tasks["MO"], "evaluations")
    assert several is not None
    assert several.y_label == "hypervolume (higher is better)"


def test_what_is_maximised_goes_up() -> None:
    task = replace(made.task("MF"), directions=("max",))
    panel = curves.course(view_of(made.results([task])), task, "evaluations")
    assert panel is not None
    assert panel.y_label == "value (higher is better)"
    for line in panel.lines:
        assert (np.diff(line.y) >= 0).all()
        assert line.low is not None
        assert line.high is not None
        assert (line.low <= line.high).all()


@pytest.mark.parametrize("directions", [("min", "min"), ("min", "max"), ("max", "max")])
def test_an_attainment_surface_is_a_staircase_towards_the_worse(directions: tuple[str, str]) -> None:
    task = replace(made.task("MO"), directions=directions)
    view = view_of(made.results([task]))
    panel = attainment.surface(view, task)
    assert panel is not None
    signs = [1 if direction == "min" else -1 for direction in directions]
    corners = view.analysis.attainment
    for line in (line for line in panel.lines if not line.thin):
        x, y = line.x * signs[0], line.y * signs[1]
        assert (np.diff(x) >= 0).all()
        assert (np.diff(y) <= 0).all()
        assert ((np.diff(x) == 0) | (np.diff(y) == 0)).all()
        own = corners[(corners["method"] == line.method) & (corners["share"] == 0.5)]
        points = set(zip(x, y, strict=True))
        assert points >= set(zip(own["x"], own["y"], strict=True))


def test_bands_are_left_out_where_they_would_hide_one_another() -> None:
    methods = {f"method {i}": 1.0 + i / 10 for i in range(9)}
    view = view_of(made.results(made.four_types(1), methods, range(2)))
    (first, *_) = overall.panels_of(view, "evaluations")
    assert all(line.low is None for line in first.lines)
    assert view.banded("bands") == ""


def test_pairs_say_who_is_better(view: View) -> None:
    shown = pairs.describe(view)[-1]
    assert shown.group == "all"
    assert shown.methods[0] == "good"
    assert np.allclose(shown.p, shown.p.T, equal_nan=True)
    first, last = 0, shown.methods.index("poor")
    assert shown.verdicts[first, last] == 1
    assert shown.verdicts[last, first] == -1
    row = view.analysis.pairs.query("group == 'all' and first == 'good' and second == 'poor'")
    assert shown.p[first, last] == row["holm_p"].item()


def test_the_verdict_on_a_pair_is_the_tests_and_not_the_mean_ranks(view: View) -> None:
    pair = {"group": ["BB"], "first": ["good"], "second": ["poor"], "difference": [-1 / 15]}
    tested = {"nemenyi_p": [np.nan], "wilcoxon_p": [0.047], "holm_p": [0.047], "wilcoxon_sign": [1]}
    analysis = replace(view.analysis, pairs=pd.DataFrame({**pair, **tested}))
    (shown,) = pairs.describe(View.of(view.results, analysis))
    place = {method: row for row, method in enumerate(shown.methods)}
    assert shown.differences[place["good"], place["poor"]] < 0
    assert shown.verdicts[place["good"], place["poor"]] == -1
    assert shown.verdicts[place["poor"], place["good"]] == 1


def test_of_two_methods_the_better_one_comes_first_in_tables() -> None:
    view = view_of(made.results(made.four_types(3), {"a": 1.5, "b": 1.0, "c": 1.2}, range(3)))
    place = {method: row for row, method in enumerate(view.ranked("all"))}
    stored = view.analysis.pairs.query("group == 'all'")
    table = view.pairs("all")
    order = [(place[row.first], place[row.second]) for row in table.itertuples()]
    assert order == sorted(order) and len(order) == len(stored)
    assert all(first < second for first, second in order)
    assert (table["difference"] <= 0).all() and (stored["difference"] > 0).any()
    told = {frozenset((row.first, row.second)): row for row in stored.itertuples()}
    for row in table.itertuples():
        before = told[frozenset((row.first, row.second))]
        both = [(row.wins, row.losses, row.a12, row.bayes_first, row.bayes_second)]
        same = (before.wins, before.losses, before.a12, before.bayes_first, before.bayes_second)
        opposite = (before.losses, before.wins, 1 - before.a12, before.bayes_second, before.bayes_first)
        assert np.allclose(both, same if before.first == row.first else opposite)
        assert row.holm_p == before.holm_p and row.ties == before.ties


def test_means_over_seeds_are_of_all_seeds(view: View) -> None:
    task = next(task for task in view.results.tasks.values() if task.type == "MF")
    scores = view.analysis.scores
    own = (scores["task"] == task.name) & (scores["method"] == "good")
    lost = scores.assign(value=scores["value"].mask(own & (scores["seed"] > 0)))
    html = finals(View.of(view.results, replace(view.analysis, scores=lost)), task)
    (good,) = (row for row in html.split("<tr>") if 'data-value="good"' in row)
    (fair,) = (row for row in html.split("<tr>") if 'data-value="fair"' in row)
    assert good.count(">–<") == 2
    assert ">1 of 5<" in good
    assert "–" not in fair
    assert ">5<" in fair


def test_the_heat_map_goes_by_type_and_has_gaps_where_there_is_no_score() -> None:
    tasks = [made.task("MO", 1), made.task("BB", 1), made.task("MO", 2), made.task("BB", 2)]
    left_out = LeftOut(tasks[0].name, "good", "it has one objective")
    view = view_of(made.results(tasks, left_out=[left_out]))
    shown = heat_map.describe(view)
    assert shown.types == ("BB", "BB", "MO", "MO")
    row, column = shown.tasks.index(tasks[0].name), shown.methods.index("good")
    assert np.argwhere(np.isnan(shown.values)).tolist() == [[row, column]]
    means = view.analysis.means.set_index(["task", "method"])["normalised"]
    assert shown.values[0, 0] == means[shown.tasks[0], shown.methods[0]]
    assert -shown.decades <= np.nanmin(shown.shades)


def test_charts_hold_the_numbers_of_their_lines(view: View) -> None:
    (panel, *_) = overall.panels_of(view, "evaluations")
    chart = chart_of([panel], view.looks)
    named = [trace for trace in chart["data"] if trace["showlegend"]]
    assert [trace["name"] for trace in named] == list(view.looks)
    for line, trace in zip(panel.lines, named, strict=True):
        stored = np.frombuffer(base64.b64decode(trace["y"]["bdata"]), dtype="<f4")
        assert stored == pytest.approx(line.y, rel=1e-6)
    assert chart["layout"]["xaxis"]["title"]["text"] == "share of the budget spent"
    assert chart["layout"]["yaxis"]["type"] == "log"


@pytest.mark.parametrize(
    ("methods", "tasks", "said"),
    [
        ({"good": 3.0, "fair": 1.5, "poor": 0.6}, 12, "On 12 black-box tasks with 3 seeds, good is best"),
        ({"good": 3.0, "fair": 1.5, "poor": 0.6}, 12, "significantly better than every other method"),
        ({"good": 3.0, "fair": 1.5, "poor": 0.6}, 2, "no method is significantly better than another"),
        ({"good": 3.0, "poor": 0.6}, 3, "good has the best mean rank 1.00 among 2 methods, without a test"),
        ({"good": 3.0}, 3, "No method can be ranked"),
    ],
)
def test_the_summary_says_who_is_best_and_how_sure_that_is(
    methods: dict[str, float], tasks: int, said: str
) -> None:
    black_boxes = [made.task("BB", number) for number in range(1, tasks + 1)]
    (sentence, *_) = summary(view_of(made.results(black_boxes, methods, range(3))))
    assert said in sentence


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (2, "; good and fair share the best mean rank 1.50 among 3 methods."),
        (
            12,
            "good and fair are best (mean rank 1.50 among 3 methods), significantly better than every other",
        ),
    ],
)
def test_the_summary_names_all_that_tie(tasks: int, said: str) -> None:
    methods = {"good": 3.0, "fair": 1.5, "poor": 0.6}
    view = view_of(
        made.results([made.task("BB", number) for number in range(1, tasks + 1)], methods, range(3))
    )
    tied = view.analysis.ranks["rank"].mask(view.analysis.ranks["method"] != "poor", 1.5)
    ranks = view.analysis.ranks.assign(rank=tied)
    (sentence, *_) = summary(replace(view, analysis=replace(view.analysis, ranks=ranks)))
    assert said in sentence
