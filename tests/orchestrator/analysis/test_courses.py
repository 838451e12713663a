"""Incumbents, references and normalisation: which evaluations count, and how."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orchestrator import pareto
from orchestrator.analysis.courses import Course, Scale, courses, measured
from orchestrator.analysis.references import check_references, load_references, references, save_references
from orchestrator.benchmark.records import Plan, Results, TaskRecord
from search_spaces import ConfigurationError
from tests.orchestrator.analysis import made


def stored(task: TaskRecord, rows: list[dict[str, Any]], method: str = "a", seed: int = 0) -> Results:
    """Results of one finished cell; ``rows`` hold what is not as in a full, successful evaluation."""
    usual = {"fidelity": task.full, "status": "finished", "violations": [], "cost": 1.0}
    table = pd.DataFrame([{**usual, **row} for row in rows])
    spent = table["cost"].cumsum()
    table = table.assign(task=task.name, method=method, seed=seed, spent=spent, end=10 * spent)
    cells = pd.DataFrame(
        [(task.name, method, seed, "finished", "")], columns=["task", "method", "seed", "status", "reason"]
    )
    plans = {(task.name, method): Plan((seed,))}
    return Results("made", {task.name: task}, (method,), (seed,), 1, (), plans, cells, table)


def incumbents(task: TaskRecord, rows: list[dict[str, Any]]) -> list[float]:
    (course,) = courses(stored(task, rows))
    return course.incumbents(task.reference).tolist()


def test_only_full_feasible_and_finished_evaluations_count() -> None:
    rows = [
        {"losses": [1.0], "fidelity": 3, "cost": 1 / 3},
        {"losses": [9.0]},
        {"losses": [2.0], "violations": [0.1]},
        {"losses": [2.0], "violations": [np.nan]},
        {"losses": [np.nan], "status": "failed"},
        {"losses": [3.0], "status": "failed"},
        {"losses": [7.0], "violations": [-1.0]},
        {"losses": [8.0]},
    ]
    for row in rows:
        row.setdefault("violations", [0.0])
    assert incumbents(made.task("MF"), rows) == [np.inf, 9, 9, 9, 9, 9, 7, 7]


def test_an_unknown_fidelity_is_the_only_one() -> None:
    assert incumbents(made.task("BB"), [{"losses": [4.0], "fidelity": None}]) == [4.0]


def test_hypervolume_by_hand() -> None:
    task = replace(made.task("MO"), reference=(4.0, 4.0))
    rows = [{"losses": [5.0, 0.0]}, {"losses": [2.0, 2.0]}, {"losses": [3.0, 3.0]}, {"losses": [1.0, 3.0]}]
    assert incumbents(task, rows) == [0.0, -4.0, -4.0, -5.0]


def test_a_cell_without_evaluations_has_found_nothing() -> None:
    task = made.task("BB")
    results = stored(task, [{"losses": [1.0]}])
    results = replace(results, evaluations=results.evaluations.iloc[:0])
    (course,) = courses(results)
    (run,) = measured([course], {})
    assert run.final == np.inf
    assert run.scale(np.array(run.final)) == 1.0


def test_courses_mark_failed_cells_and_keep_the_studys_order() -> None:
    tasks = made.four_types(2)[::-1]
    broken = (tasks[0].name, "fair", 1)
    found = [
        (c.task.name, c.method, c.seed, c.finished)
        for c in courses(made.results(tasks, seeds=(0, 1), failed=[broken]))
    ]
    expected = [(t.name, method, seed) for t in tasks for method in made.METHODS for seed in (0, 1)]
    assert found == [(*key, key != broken) for key in expected]


def test_reference_is_the_tasks_own_then_the_frozen_one_then_the_worst_seen() -> None:
    own, other = made.task("MO", 1), made.task("MOMF", 1)
    results = made.results([own, other, made.task("BB", 1)])
    worst = np.concatenate([c.losses for c in courses(results) if c.task is other])
    seen = tuple(np.nanmax(worst, axis=0))
    assert references(results) == {own.name: own.reference, other.name: seen}
    frozen = {own.name: (9.0, 9.0), other.name: (3.0, 4.0)}
    assert references(results, frozen) == {own.name: own.reference, other.name: (3.0, 4.0)}


def test_frozen_references_do_not_move_when_a_method_is_added() -> None:
    tasks = [made.task("MOMF", 1)]
    few = made.results(tasks, {"good": 3.0})
    many = made.results(tasks, {"good": 3.0, "awful": 0.01})
    frozen = references(few)
    assert references(many) != frozen
    assert references(many, frozen) == frozen
    alone, together = (
        [run.final for run in measured(courses(one), frozen) if run.course.method == "good"]
        for one in (few, many)
    )
    assert alone == together


def test_a_task_where_nothing_was_found_has_no_reference_and_no_volume() -> None:
    task = made.task("MOMF")
    results = stored(task, [{"losses": [1.0, 1.0], "fidelity": 1}])
    assert references(results) == {}
    (run,) = measured(courses(results), {})
    assert run.final == 0.0


@pytest.mark.parametrize("point", [(1.0,), (1.0, np.inf)])
def test_a_frozen_reference_that_does_not_fit(point: tuple[float, ...]) -> None:
    task = made.task("MOMF")
    with pytest.raises(ConfigurationError, match=r"expected 2 numbers, for f1, f2"):
        references(made.results([task], seeds=(0,)), {task.name: point})


def test_stored_references(tmp_path: Any) -> None:
    path = tmp_path / "references.json"
    first, second = tasks = [made.task("MOMF", number) for number in (1, 2)]
    by_name = {task.name: task for task in tasks}
    assert load_references(path, by_name) == {}
    save_references(path, {first.name: (1.0, 2.5)}, by_name)
    assert load_references(path, by_name) == {first.name: (1.0, 2.5)}
    save_references(path, {second.name: (3.0, 4.0)}, {second.name: second})
    assert load_references(path, by_name) == {first.name: (1.0, 2.5), second.name: (3.0, 4.0)}
    assert load_references(path, {second.name: second}) == {second.name: (3.0, 4.0)}


@pytest.mark.parametrize(
    "other", [{"objectives": ("f1", "f3")}, {"objectives": ("f2", "f1")}, {"directions": ("min", "max")}]
)
def test_a_stored_reference_is_of_its_objectives_alone(tmp_path: Any, other: dict[str, Any]) -> None:
    path, task = tmp_path / "references.json", made.task("MOMF")
    save_references(path, {task.name: (1.0, 2.5)}, {task.name: task})
    changed = {task.name: replace(task, **other)}
    assert load_references(path, changed) == {}
    save_references(path, {task.name: (7.0, 8.0)}, changed)
    assert load_references(path, changed) == {task.name: (7.0, 8.0)}


def test_a_stored_reference_does_not_outlive_the_tasks_definition(tmp_path: Any) -> None:
    path, task = tmp_path / "references.json", made.task("MOMF")
    before, after = (replace(task, definition=definition) for definition in ("1", "2"))
    save_references(path, {task.name: (1.0, 2.5)}, {task.name: before})
    assert load_references(path, {task.name: before}) == {task.name: (1.0, 2.5)}
    assert load_references(path, {task.name: task}) == {task.name: (1.0, 2.5)}, "it may be the same"
    assert load_references(path, {task.name: after}) == {}
    save_references(path, {task.name: (7.0, 8.0)}, {task.name: after})
    assert load_references(path, {task.name: after}) == {task.name: (7.0, 8.0)}


def test_a_reference_from_before_definitions_were_stored_holds(tmp_path: Any) -> None:
    path, task = tmp_path / "references.json", replace(made.task("MOMF"), definition="1")
    path.write_text(json.dumps({task.name: {"objectives": ["min f1", "min f2"], "point": [1.0, 2.5]}}))
    assert load_references(path, {task.name: task}) == {task.name: (1.0, 2.5)}
    save_references(path, {task.name: (1.0, 2.5)}, {task.name: task})
    assert load_references(path, {task.name: replace(task, definition="2")}) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "objectives and a point per task"),
        ('{"NAME": {"objectives": ["min f1", "min f2"], "point": [1.0]}}', "2 numbers, for f1, f2"),
    ],
)
def test_references_can_be_checked_before_there_are_cells(tmp_path: Any, text: str, said: str) -> None:
    path, tasks = tmp_path / "references.json", made.four_types(1)
    check_references(path, tasks)
    path.write_text(text.replace("NAME", tasks[-1].name))
    with pytest.raises(ConfigurationError, match=said):
        check_references(path, tasks)


@pytest.mark.parametrize("text", ['{"a": 1}', '{"a": [1, 2]}', '{"a": {"point": [1, 2]}}', "[1]", "{", "1"])
def test_damaged_references(tmp_path: Any, text: str) -> None:
    path = tmp_path / "references.json"
    path.write_text(text)
    with pytest.raises(
        ConfigurationError, match=r"references\.json: expected objectives and a point per task"
    ):
        load_references(path, {})


def test_normalisation_by_hand() -> None:
    scale = Scale(best=2.0, worst=6.0)
    assert scale(np.array([2.0, 3.0, 6.0, 8.0, 1.0, np.inf])).tolist() == [0, 0.25, 1, 1, 0, 1]
    assert Scale(3.0, 3.0)(np.array([3.0, np.inf])).tolist() == [0.0, 1.0]
    assert Scale(np.nan, np.nan)(np.array([np.inf])).tolist() == [1.0]


def test_scale_spans_all_evaluations_of_all_methods() -> None:
    task = made.task("BB")
    runs = measured(courses(made.results([task])), {})
    losses = np.concatenate([run.course.losses for run in runs])
    assert {run.scale for run in runs} == {Scale(np.nanmin(losses), np.nanmax(losses))}


@given(arrays(float, st.integers(1, 20), elements=st.floats(-5, 5) | st.just(np.nan)))
def test_incumbents_fall_and_steps_are_read_off_exactly(losses: np.ndarray) -> None:
    n = len(losses)
    course = Course(made.task("BB"), "a", 0, np.arange(1.0, n + 1), np.arange(n) + 0.5, losses[:, None])
    (run,) = measured([course], {})
    assert (run.incumbents[1:] <= run.incumbents[:-1]).all()
    assert ((run.scale(run.incumbents) >= 0) & (run.scale(run.incumbents) <= 1)).all()
    expected = [np.nanmin([np.inf, *losses[:k]]) for k in range(n + 1)]
    assert run.at("evaluations", np.arange(n + 1.0)).tolist() == expected
    assert run.at("evaluations", np.arange(n + 1) + 0.99).tolist() == expected
    assert run.at("seconds", np.arange(n + 1) - 0.5).tolist() == expected


def test_a_whole_made_of_thirds_is_reached_at_the_whole() -> None:
    spent = np.cumsum(np.full(30, 0.1))
    course = Course(made.task("BB"), "a", 0, spent, spent, np.arange(30.0, 0, -1)[:, None])
    (run,) = measured([course], {})
    assert run.at("evaluations", np.array([1.0, 2.0, 3.0])).tolist() == [21.0, 11.0, 1.0]


@given(arrays(float, st.tuples(st.integers(1, 12), st.just(2)), elements=st.floats(0, 3)))
def test_hypervolume_incumbents_match_the_volume_of_each_beginning(losses: np.ndarray) -> None:
    n = len(losses)
    course = Course(made.task("MO"), "a", 0, np.arange(1.0, n + 1), np.arange(1.0, n + 1), losses)
    expected = [-pareto.hypervolume(losses[:k], (2.0, 2.0)) for k in range(1, n + 1)]
    assert course.incumbents((2.0, 2.0)) == pytest.approx(np.array(expected))
