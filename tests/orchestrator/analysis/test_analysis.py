"""The tables of a study as a whole: what is in them, what is left out, and that they are repeatable."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from orchestrator import pareto
from orchestrator.analysis.analysis import Analysis, analyse, mean_scores
from orchestrator.analysis.courses import courses
from orchestrator.analysis.profiles import TARGETS
from orchestrator.benchmark.records import LeftOut, Results
from orchestrator.benchmark.task import TaskType
from tests.orchestrator.analysis import made

COLUMNS = {
    "scores": ["task", "type", "method", "seed", "status", "spent", "found", "value", "normalised"],
    "means": ["task", "type", "method", "normalised"],
    "ranks": ["group", "method", "rank", "tasks", "seeds", "normalised"],
    "tests": ["group", "test", "statistic", "p", "tasks", "methods", "critical_difference"],
    "pairs": [
        *("group", "first", "second", "difference", "nemenyi_p", "wilcoxon_p", "holm_p", "wilcoxon_sign"),
        *("wins", "ties", "losses", "a12", "bayes_first", "bayes_equal", "bayes_second", "tasks"),
    ],
    "omitted": ["group", "what", "reason"],
    "curves": ["task", "method", "axis", "x", "mean", "median", "low", "high", "seeds"],
    "overall": [
        *("group", "method", "axis", "x", "mean", "low", "high", "iqm", "rank", "rank_low", "rank_high"),
        *("tasks", "seeds"),
    ],
    "targets": ["task", "method", "target", "runs", "reached", "ert", "speed_up"],
    "profiles": ["group", "method", "kind", "x", "share", "n"],
    "breakdown": ["factor", "level", "method", "rank", "tasks"],
    "stability": ["without", "method", "rank", "place", "tasks"],
    "fronts": ["task", "method", "seeds", "fronts", "igd_plus", "epsilon"],
    "ecdf": ["method", "x", "share"],
    "held_out": ["task", "method", "metric", "direction", "seeds", "mean", "low", "high", "rank"],
    "attainment": ["task", "method", "share", "x", "y"],
}


@pytest.fixture(scope="module")
def results() -> Results:
    return made.results()


@pytest.fixture(scope="module")
def analysis(results: Results) -> Analysis:
    return analyse(results, {})


def test_every_table_has_its_columns_with_and_without_rows(analysis: Analysis) -> None:
    nothing = analyse(made.results([made.task("BB")], {"good": 1.0}, seeds=(0,)), {})
    for one in (analysis, nothing):
        assert {field.name: list(getattr(one, field.name).columns) for field in fields(one)} == COLUMNS


def test_planted_order_is_found_in_every_group(analysis: Analysis) -> None:
    assert list(analysis.ranks["group"].unique()) == ["BB", "MF", "MO", "MOMF", "all"]
    for _, ranks in analysis.ranks.groupby("group"):
        assert list(ranks["method"]) == ["good", "fair", "poor"]
        assert list(ranks["rank"]) == [1.0, 2.0, 3.0]
    whole = analysis.tests.set_index("group").loc["all"]
    assert (whole["tasks"], whole["methods"], whole["statistic"]) == (12, 3, pytest.approx(24.0))
    assert whole["p"] == pytest.approx(stats.chi2.sf(24, 2))
    assert (analysis.pairs[analysis.pairs["group"] == "all"]["holm_p"] < 0.05).all()
    assert analysis.omitted.empty


def test_scores_are_final_bests(results: Results, analysis: Analysis) -> None:
    scores = analysis.scores.set_index(["task", "method", "seed"])
    for course in courses(results)[::7]:
        row = scores.loc[(course.task.name, course.method, course.seed)]
        if len(course.task.objectives) == 1:
            assert row["value"] == np.nanmin(course.losses)
        elif course.task.reference is not None:
            counted = course.losses[~np.isnan(course.losses).any(axis=1)]
            assert row["value"] == pytest.approx(-pareto.hypervolume(counted, course.task.reference))
    assert analysis.scores["normalised"].between(0, 1).all()


def test_means_are_over_seeds(results: Results, analysis: Analysis) -> None:
    expected = analysis.scores.groupby(["task", "method"])["normalised"].mean()
    found = analysis.means.set_index(["task", "method"])["normalised"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index())
    pd.testing.assert_frame_equal(mean_scores(results, {}), analysis.means)


def test_equal_methods_share_their_rank_whatever_the_order_of_their_seeds() -> None:
    """Rounding gives these another mean in another order, as pandas has it too."""
    tasks = [made.task("MF", number) for number in (1, 2)]
    finals = {"first": [0.0, 1.0, 0.3, 0.4, 0.0], "second": [0.0, 0.3, 0.4, 0.0, 1.0]}
    results = made.results(tasks, dict.fromkeys(finals, 1.0), failing=0.0)
    last = results.evaluations.groupby(["task", "method", "seed"]).tail(1)
    losses = [[finals[row.method][row.seed]] for row in last.itertuples()]
    cells = results.cells.assign(evaluations=1)
    evaluations = last.assign(losses=losses, fidelity=tasks[0].full).reset_index(drop=True)
    analysis = analyse(replace(results, cells=cells, evaluations=evaluations), {})
    assert analysis.means["normalised"].nunique() == 1
    assert (analysis.ranks["rank"] == 1.5).all()


def test_curves_fall_and_volumes_rise_between_their_bounds(results: Results, analysis: Analysis) -> None:
    for (name, _, _), curve in analysis.curves.groupby(["task", "method", "axis"]):
        sign = 1 if len(results.tasks[name].objectives) > 1 else -1
        assert (curve["x"].diff().dropna() > 0).all()
        for column in ("mean", "low", "high"):
            assert (sign * curve[column].diff().dropna() >= -1e-12).all()
        assert (curve["low"] <= curve["high"]).all()


def test_curves_end_at_the_final_scores(analysis: Analysis) -> None:
    ends = analysis.curves[analysis.curves["axis"] == "evaluations"].groupby(["task", "method"]).last()
    finals = analysis.scores.groupby(["task", "method"])["value"].agg(
        mean="mean", low=lambda v: v.quantile(0.25), high=lambda v: v.quantile(0.75)
    )
    black_boxes = [name for name in ends.index if name[0].startswith("bbob")]
    for column in ("mean", "low", "high"):
        assert ends.loc[black_boxes, column].to_numpy() == pytest.approx(
            finals.loc[black_boxes, column].to_numpy()
        )


def test_only_timed_tasks_have_curves_over_seconds(results: Results, analysis: Analysis) -> None:
    over_time = analysis.curves[analysis.curves["axis"] == "seconds"]
    timed = {name for name, task in results.tasks.items() if task.timed}
    assert set(over_time["task"]) == timed
    longest = results.evaluations.groupby("task")["end"].max()
    assert over_time.groupby("task")["x"].max().to_numpy() == pytest.approx(longest[sorted(timed)].to_numpy())


def test_overall_curves_end_at_the_mean_scores_within_their_interval(analysis: Analysis) -> None:
    overall = analysis.overall
    assert overall["x"].min() == pytest.approx(0.01)
    assert overall["x"].max() == pytest.approx(1.0)
    assert overall[["mean", "low", "high"]].stack().between(0, 1).all()
    assert (overall["low"] <= overall["mean"] + 1e-12).all()
    assert (overall["mean"] <= overall["high"] + 1e-12).all()
    assert set(overall[overall["axis"] == "seconds"]["group"]) == {"MF", "MOMF", "all"}
    ends = overall[(overall["group"] == "BB") & (overall["axis"] == "evaluations") & (overall["x"] == 1)]
    expected = analysis.means[analysis.means["type"] == "BB"].groupby("method")["normalised"].mean()
    assert ends.set_index("method")["mean"].to_dict() == pytest.approx(expected.to_dict())


def test_ecdf_is_the_share_of_reached_targets(results: Results, analysis: Analysis) -> None:
    task = [task for task in results.tasks.values() if task.optimum is not None]
    for method, steps in analysis.ecdf.groupby("method"):
        for x in (0.5, 3.0, steps["x"].max()):
            reached = [
                np.nanmin(c.losses[c.spent <= x * c.task.dimension], initial=np.inf) - c.task.optimum
                <= target
                for c in courses(results)
                if c.method == method and c.task in task
                for target in TARGETS
            ]
            assert steps[steps["x"] <= x]["share"].max() == pytest.approx(np.mean(reached))
        assert (steps["share"].diff().dropna() >= 0).all()
    assert analysis.ecdf.groupby("method")["x"].max().nunique() == 1


def test_attainment_surfaces_of_one_seed_are_its_front() -> None:
    results = made.results([made.task("MO")], {"good": 2.0}, seeds=(0,))
    (course,) = courses(results)
    front = course.losses[pareto.nondominated(course.losses)]
    front = front[np.argsort(front[:, 0])]
    for _, surface in analyse(results, {}).attainment.groupby("share"):
        assert surface[["x", "y"]].to_numpy() == pytest.approx(front)


def test_seeds_that_found_nothing_attain_nothing() -> None:
    results = made.results([made.task("MO")], {"good": 2.0}, seeds=range(4))
    lost = results.evaluations["seed"].isin([2, 3])
    evaluations = results.evaluations.assign(status=results.evaluations["status"].mask(lost, "failed"))
    found = analyse(replace(results, evaluations=evaluations), {}).attainment
    assert set(found["share"]) == {0.25, 0.5}
    alone = analyse(made.results([made.task("MO")], {"good": 2.0}, seeds=range(2)), {}).attainment
    half = found[found["share"] == 0.5][["x", "y"]].to_numpy()
    assert half == pytest.approx(alone[alone["share"] == 0.75][["x", "y"]].to_numpy())


def test_a_method_that_does_not_serve_a_task_leaves_the_groups_that_hold_it() -> None:
    task = made.task("MO", 1).name
    analysis = analyse(made.results(left_out=[LeftOut(task, "poor", "it has one objective")]), {})
    methods = analysis.ranks.groupby("group")["method"].apply(list).to_dict()
    assert methods["MO"] == methods["all"] == ["good", "fair"]
    assert methods["BB"] == ["good", "fair", "poor"]
    reasons = analysis.omitted.set_index(["group", "what"])["reason"]
    assert "it has one objective" in reasons["MO", "poor"]
    assert "they need 3 methods" in reasons["MO", "Friedman's and Nemenyi's tests"]
    pairs = analysis.pairs[analysis.pairs["group"] == "MO"]
    assert pairs["nemenyi_p"].isna().all()
    assert pairs["wilcoxon_p"].tolist() == [0.25]
    assert not (analysis.overall[analysis.overall["group"] == "MO"]["method"] == "poor").any()


def test_failed_cells_count_and_take_no_task_from_the_tests() -> None:
    task = made.task("BB", 1).name
    broken = [(task, "poor", seed) for seed in range(5)]
    analysis = analyse(made.results(failed=broken), {})
    reasons = analysis.omitted.set_index(["group", "what"])["reason"]
    assert ("BB", task) not in reasons.index
    assert reasons["all", f"poor on {task}"] == (
        "5 of its cells failed and count with what they had found: ValueError: no further points"
    )
    scores = analysis.scores.set_index(["task", "method"])["status"]
    assert set(scores[task, "poor"]) == {"failed"} and set(scores[task, "good"]) == {"finished"}
    assert analysis.tests.set_index("group").loc["all", "tasks"] == 12
    assert set(analysis.ecdf["method"]) == {"good", "fair", "poor"}


def test_a_task_without_a_cell_of_some_method_leaves_the_tests() -> None:
    task = made.task("BB", 1).name
    results = made.results()
    cells = results.cells
    own = cells["task"] == task
    lost = own & (cells["seed"] < 3) & (cells["method"] == "poor")
    lost |= own & (cells["seed"] >= 3) & (cells["method"] == "good")
    analysis = analyse(replace(results, cells=cells.assign(status=cells["status"].mask(lost, "lost"))), {})
    reasons = analysis.omitted.set_index(["group", "what"])["reason"]
    assert reasons["BB", task] == reasons["all", task] == "no seed counts for all methods, such as good"
    assert analysis.tests.set_index("group")["tasks"].to_dict() == {
        "BB": 2,
        "MF": 3,
        "MO": 3,
        "MOMF": 3,
        "all": 11,
    }
    assert analysis.ecdf.empty


def test_an_interrupted_study_says_what_it_has_not_computed() -> None:
    results = made.without_cells(made.results(), "poor", made.task("BB", 1).name)
    reasons = analyse(results, {}).omitted.set_index(["group", "what"])["reason"]
    assert "5 of its cells have not been computed" in list(reasons.loc[[("all", "poor")]])
    assert "it has no cell there" in reasons["BB", "poor"]


@pytest.mark.parametrize("kind", ["MF", "MOMF"])
def test_a_task_where_nobody_found_anything_leaves_the_tests(kind: TaskType) -> None:
    results = made.results()
    name = made.task(kind, 1).name
    lost = results.evaluations["task"] == name
    fidelity = results.evaluations["fidelity"].mask(lost, 1)
    analysis = analyse(replace(results, evaluations=results.evaluations.assign(fidelity=fidelity)), {})
    reasons = analysis.omitted.set_index(["group", "what"])["reason"]
    assert "no evaluation at full fidelity" in reasons[kind, name]
    scores = analysis.scores[analysis.scores["task"] == name]
    assert (scores["normalised"] == 1).all()
    assert not (analysis.attainment["task"] == name).any()
    if kind == "MF":
        assert scores["value"].isna().all()
        assert not (analysis.curves["task"] == name).any()


def test_a_study_without_a_finished_cell_has_no_ranks_and_one_without_results_empty_tables() -> None:
    task = made.task("BB")
    broken = [(task.name, method, seed) for method in made.METHODS for seed in range(5)]
    results = made.results([task], failed=broken)
    ranked = {"ranks", "tests", "pairs", "overall"}
    analysis = analyse(results, {})
    assert not any(len(getattr(analysis, name)) for name in ranked)
    lost = replace(results, cells=results.cells.assign(status="lost"))
    analysis = analyse(lost, {})
    assert {field.name for field in fields(analysis) if len(getattr(analysis, field.name))} == {"omitted"}
    assert {field.name: list(getattr(analysis, field.name).columns) for field in fields(analysis)} == COLUMNS


@pytest.mark.parametrize(
    ("tasks", "methods", "what", "reason"),
    [
        (3, {"good": 1.0}, "ranks and tests", "they need 2 methods"),
        (1, made.METHODS, "all tests", "they need 2 tasks"),
        (3, {"good": 1.0, "poor": 0.1}, "Friedman's and Nemenyi's tests", "they need 3 methods"),
    ],
)
def test_too_few_for_a_test_is_said(tasks: int, methods: dict[str, float], what: str, reason: str) -> None:
    results = made.results([made.task("BB", number) for number in range(1, tasks + 1)], methods)
    analysis = analyse(results, {})
    assert analysis.tests.empty
    said = analysis.omitted[analysis.omitted["what"] == what]
    assert list(said["group"]) == ["BB", "all"]
    assert said["reason"].str.contains(reason).all()
    assert not analysis.overall.empty


def test_same_tables_whatever_the_order_of_storing() -> None:
    tasks = [made.task("BB", 1), made.task("BB", 2), made.task("MO", 1)]
    broken = [(task.name, method, 0) for task in tasks for method in ("poor", "good")]
    results = made.results(tasks, failed=broken)
    analysis = analyse(results, {})
    shuffled = replace(results, cells=results.cells.sample(frac=1, random_state=0, ignore_index=True))
    again = analyse(shuffled, {})
    for field in fields(Analysis):
        pd.testing.assert_frame_equal(
            getattr(again, field.name), getattr(analysis, field.name), check_exact=True
        )


def test_adding_a_method_moves_no_hypervolume_with_frozen_references() -> None:
    tasks = [made.task("MOMF", 1), made.task("MO", 1)]
    frozen = {tasks[0].name: (2.0, 2.0)}
    before = analyse(made.results(tasks), frozen).scores
    after = analyse(made.results(tasks, methods={**made.METHODS, "awful": 0.01}), frozen).scores
    kept = after[after["method"] != "awful"].reset_index(drop=True)
    pd.testing.assert_series_equal(kept["value"], before["value"], check_exact=True)
