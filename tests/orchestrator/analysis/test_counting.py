"""A crash helps no method, in no table; what a machine lost is nobody's failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from orchestrator.analysis.analysis import Analysis, analyse
from orchestrator.analysis.counting import Counting
from orchestrator.benchmark.records import Results
from orchestrator.randomness import stream
from orchestrator.reporting.benchmark.html_tables import failures
from orchestrator.reporting.benchmark.overall import panels_of
from orchestrator.reporting.benchmark.report_summary import summary
from orchestrator.reporting.benchmark.report_tables import failures as failure_table
from orchestrator.reporting.benchmark.view import View
from tests.orchestrator.analysis import made

TASKS = [made.task("BB", 1), made.task("BB", 2), made.task("MO", 1)]
NAMES = [task.name for task in TASKS]
FROZEN = {made.task("MOMF", 1).name: (2.0, 2.0)}
Key = tuple[str, str, int]


def ended_after(results: Results, keys: Sequence[Key], evaluations: int, status: str = "failed") -> Results:
    """The results with some cells ended after so many evaluations."""
    own = pd.MultiIndex.from_frame(results.evaluations[["task", "method", "seed"]]).isin(keys)
    kept = results.evaluations[~own | (results.evaluations["number"] < evaluations)]
    broken = pd.MultiIndex.from_frame(results.cells[["task", "method", "seed"]]).isin(keys)
    cells = results.cells.assign(
        status=results.cells["status"].mask(broken, status),
        reason=results.cells["reason"].mask(broken, "RuntimeError: crash"),
    )
    return replace(results, cells=cells, evaluations=kept.reset_index(drop=True))


def rank_of(analysis: Analysis, method: str, group: str = "all") -> float:
    ranks = analysis.ranks.set_index(["group", "method"])["rank"]
    return float(ranks[group, method])


def reached(analysis: Analysis, method: str, grid: np.ndarray) -> np.ndarray:
    """The share of targets reached by then."""
    steps = analysis.ecdf[analysis.ecdf["method"] == method]
    shares = np.concatenate([[0.0], steps["share"]])
    return shares[np.searchsorted(steps["x"], grid, side="right")]


@pytest.mark.parametrize("draw", range(6))
def test_a_crash_never_helps(draw: int) -> None:
    rng = stream(draw, "crashes")
    rates = {"good": 2.0, "other": 1.8, "poor": 1.0}
    whole = made.results(TASKS, rates, seeds=range(4))
    keys = [(name, "good", seed) for name in NAMES for seed in range(4) if rng.random() < 0.6]
    before = analyse(whole, FROZEN)
    after = analyse(ended_after(whole, keys, int(rng.integers(1, 20))), FROZEN)
    for group in ("BB", "MO", "all"):
        assert rank_of(after, "good", group) >= rank_of(before, "good", group)
    columns = ["task", "method", "seed"]
    values = [one.scores.set_index(columns)["value"].fillna(np.inf) for one in (before, after)]
    assert (values[1] >= values[0]).all() and len(values[1]) == len(values[0])
    grid = np.linspace(0, before.ecdf["x"].max(), 50)
    assert (reached(after, "good", grid) <= reached(before, "good", grid) + 1e-12).all()
    curves = [
        one.curves[(one.curves["method"] == "good") & (one.curves["task"] == NAMES[0])]
        for one in (before, after)
    ]
    both = curves[0].merge(curves[1], on=["axis", "x"])
    assert (both["mean_y"] >= both["mean_x"]).all()
    areas = [attained(one) for one in (before, after)]
    assert areas[1] <= areas[0]


def attained(analysis: Analysis) -> float:
    """The area that the median surface dominates, within (3, 3)."""
    rows = analysis.attainment[
        (analysis.attainment["method"] == "good") & (analysis.attainment["share"] == 0.5)
    ]
    area, last = 0.0, 3.0
    for x, y in sorted(zip(rows["x"], rows["y"], strict=True)):
        area += max(0.0, 3.0 - x) * max(0.0, last - y)
        last = min(last, y)
    return area


def test_a_method_that_is_lucky_once_and_crashes_else_is_not_the_best() -> None:
    results = made.results(TASKS[:2], {"random": 1.5, "crasher": 1.6})
    keys = [(name, "crasher", seed) for name in NAMES[:2] for seed in range(1, 5)]
    crashed = ended_after(results, keys, 3)
    analysis = analyse(crashed, {})
    assert rank_of(analysis, "random") == 1.0 and rank_of(analysis, "crasher") == 2.0
    best, *_, broken = summary(View.of(crashed, analysis))
    assert "random has the best mean rank" in best and "with 5 seeds" in best
    assert broken.startswith("8 of 10 cells of crasher failed: they count")


def test_a_cell_that_crashed_before_it_found_anything_has_the_worst_score() -> None:
    results = made.results(TASKS[:1])
    crashed = ended_after(results, [(NAMES[0], "good", 0)], 0)
    scores = analyse(crashed, {}).scores.set_index(["method", "seed"])
    assert scores.loc[("good", 0), "normalised"] == 1.0
    assert np.isnan(scores.loc[("good", 0), "value"])


def test_a_seed_that_was_lost_counts_for_nobody_and_nobody_is_called_the_best() -> None:
    results = made.results(TASKS)
    lost = ended_after(results, [(NAMES[0], "poor", 3)], 0, "lost")
    analysis = analyse(lost, {})
    counted = analysis.scores.groupby("task")["seed"].apply(set)
    assert counted[NAMES[0]] == {0, 1, 2, 4} and counted[NAMES[1]] == set(range(5))
    sentence = summary(View.of(lost, analysis))[0]
    reason = f"poor lacks 1 cell that others have, such as on {NAMES[0]}"
    assert sentence == f"On all 3 tasks with 4 seeds, no method is called the best: {reason}."
    assert "MO" not in set(analysis.omitted[analysis.omitted["what"] == "the best method"]["group"])
    reasons = analysis.omitted.set_index("what")["reason"]
    assert reasons[f"poor on {NAMES[0]}"].startswith("1 of its cells were lost with their machine")
    assert not (failure_table(lost)["what"] == "cell").any()


def test_a_study_that_lacks_the_same_seeds_everywhere_is_balanced() -> None:
    whole = made.results(TASKS, seeds=range(3))
    cells, evaluations = (frame[frame["seed"] < 2] for frame in (whole.cells, whole.evaluations))
    early = replace(whole, cells=cells, evaluations=evaluations)
    analysis = analyse(early, {})
    sentence = summary(View.of(early, analysis))[0]
    assert "with 2 seeds" in sentence and "good has the best mean rank 1.33 among 3 methods" in sentence


def test_studies_with_other_seeds_take_none_from_one_another() -> None:
    first, second = (
        made.results(TASKS[:1], {"a": 1.0}, range(3)),
        made.results(TASKS[:1], {"b": 1.0}, range(5, 8)),
    )
    both = replace(
        first,
        methods=("a", "b"),
        plans={**first.plans, **second.plans},
        cells=pd.concat([first.cells, second.cells]),
        evaluations=pd.concat([first.evaluations, second.evaluations]),
    )
    counting = Counting.of(both)
    assert len(counting.keys) == 6
    assert counting.unbalanced(NAMES[:1], ("a", "b")) == ""


def test_mean_scores_are_over_the_tasks_that_all_methods_of_the_group_have() -> None:
    results = made.without_cells(made.results(TASKS), "poor", NAMES[2])
    analysis = analyse(results, {})
    assert set(analysis.ranks[analysis.ranks["group"] == "all"]["method"]) == {"good", "fair"}
    for group, ranks in analysis.ranks.groupby("group"):
        tasks = [task.name for task in TASKS if group in (task.type, "all")]
        for row in ranks.itertuples():
            own = analysis.means[
                (analysis.means["method"] == row.method) & analysis.means["task"].isin(tasks)
            ]
            assert len(own) == row.tasks
            assert row.normalised == pytest.approx(own["normalised"].mean())


def test_a_cell_that_ended_early_is_marked_and_has_not_failed() -> None:
    results = made.results(TASKS[:1])
    reason = "the optimizer had nothing left to suggest after 7 of 40 evaluations"
    marked = results.cells.assign(reason=results.cells["reason"].where(results.cells.index > 0, reason))
    results = replace(results, cells=marked)
    table = failure_table(results)
    (row,) = table[table["reason"] == reason].itertuples()
    assert row.what == "ended early"
    html = failures(View.of(results, analyse(results, {})))
    assert "1 cell of 15 ended before the budget was spent" in html and reason in html


def test_cells_of_different_versions_are_said() -> None:
    results = made.results(TASKS[:2])
    last = list(results.methods)[-1]
    old, new = '{"numpy":"2.1.0"}', '{"numpy":"2.2.0"}'
    cells = results.cells.assign(versions=np.where(results.cells["method"] == last, old, new))
    view = View.of(results, analyse(results, {}))
    assert not any("versions" in sentence for sentence in summary(view))
    sentence = summary(replace(view, results=replace(results, cells=cells)))[-1]
    assert sentence == (
        "Not all cells were computed with the same versions: of 30, 10 with numpy 2.1.0 instead of 2.2.0."
    )


def test_pictures_over_simulated_time_say_how_many_tasks_they_show() -> None:
    results = made.results([made.task("BB", 1), made.task("BB", 2), made.task("MF", 1, timed=True)])
    view = View.of(results, analyse(results, {}))
    titles = [panel.title for panel in panels_of(view, "seconds")]
    assert titles == ["multi-fidelity tasks (n = 1)", "all tasks: the 1 of 3 with recorded times"]
    assert [panel.title for panel in panels_of(view, "evaluations")][-1] == "all tasks (n = 3)"
