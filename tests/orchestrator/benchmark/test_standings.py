"""How methods stand while a benchmark runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.benchmark.records import CellKey, CellResult, Evaluation
from orchestrator.benchmark.standings import Score, Standings, score_of
from orchestrator.benchmark.task import Task
from orchestrator.trial import Suggestion, Trial, failed
from tests.orchestrator.benchmark.scripted import LOSS, Recorded
from workloads.contract import Fidelity, Objective

METHODS = ("a", "b", "c")


def scores(*losses: Sequence[float | None], task: str = "t") -> list[Score]:
    """Of each seed, what the methods ended with."""
    return [
        (task, method, seed, loss)
        for seed, values in enumerate(losses)
        for method, loss in zip(METHODS, values, strict=True)
    ]


def test_ranks_are_means_over_tasks_and_seeds_and_ties_share_a_rank() -> None:
    standings = Standings(METHODS)
    assert (standings.ranks, standings.compared) == ({}, 0)
    standings.take(scores([1.0, 2.0, 3.0], [5.0, 5.0, 1.0]))
    assert standings.compared == 2
    assert standings.ranks == {"a": (1 + 2.5) / 2, "b": (2 + 2.5) / 2, "c": (3 + 1) / 2}


def test_only_what_every_method_has_computed_is_compared() -> None:
    standings = Standings(METHODS)
    told = scores([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    standings.take(told[:5])
    assert standings.compared == 1
    standings.take(told[5:])
    assert standings.compared == 2


def test_a_cell_that_found_nothing_comes_last() -> None:
    standings = Standings(METHODS)
    standings.take(scores([None, 1e9, 3.0]))
    assert standings.ranks == {"a": 3.0, "b": 2.0, "c": 1.0}


def test_a_study_that_goes_on_with_other_methods_compares_these() -> None:
    standings = Standings(METHODS)
    standings.take(scores([1.0, 2.0, 3.0]))
    standings.go_on(("c", "b"))
    assert standings.ranks == {"c": 2.0, "b": 1.0}
    standings.go_on((*METHODS, "d"))
    assert standings.ranks == {}
    standings.take([("t", "d", 0, 0.5)])
    assert standings.ranks == {"a": 2.0, "b": 3.0, "c": 4.0, "d": 1.0}


@given(st.lists(st.tuples(*[st.one_of(st.none(), st.integers(0, 3))] * 3), min_size=1, max_size=6), st.data())
def test_the_order_in_which_cells_end_and_end_again_changes_nothing(
    losses: list[tuple[float | None, ...]], data: st.DataObject
) -> None:
    told = scores(*losses)
    once, shuffled = Standings(METHODS), Standings(METHODS)
    once.take(told)
    shuffled.take([(task, method, seed, 9.0) for task, method, seed, _ in told[: len(told) // 2]])
    shuffled.take(data.draw(st.permutations(told)))
    assert shuffled.compared == once.compared == len(losses)
    assert shuffled.ranks == pytest.approx(once.ranks)
    assert np.mean(list(once.ranks.values())) == pytest.approx(2.0)


def task_of(*objectives: Objective, full: int = 1, anytime: bool = False) -> Task:
    workload = Recorded(lambda n: {}, objectives=objectives, fidelity=Fidelity("step", largest=full))
    return Task("t", "t", workload, multi_fidelity=full > 1, evaluations=5, anytime=anytime)


def result(task: Task, *trials: Trial, status: str = "finished") -> CellResult:
    evaluations = tuple(Evaluation(trial, 1.0, 0.0, 1.0) for trial in trials)
    return CellResult(CellKey(task.name, "a", 0), "", evaluations, status)  # type: ignore[arg-type]


def trial(*losses: float, violation: float = -1.0, fidelity: int | None = None) -> Trial:
    return Trial(Suggestion({}, None, 0), losses, (violation,), "finished", fidelity, "", {}, 0.0)


def test_a_cells_score_is_the_best_feasible_loss_however_it_ended() -> None:
    task = task_of(LOSS)
    bad = failed(Suggestion({}, None, 0), "boom", task.objectives)
    assert score_of(result(task, trial(3.0), trial(2.0), trial(1.0, violation=0.5), bad), task) == 2.0
    assert score_of(result(task, trial(3.0), status="failed"), task) == 3.0
    assert score_of(result(task, bad), task) == math.inf
    assert score_of(result(task, trial(3.0), status="lost"), task) is None


def test_models_that_are_not_trained_fully_count_where_the_task_says_so() -> None:
    trials = trial(1.0, fidelity=3), trial(2.0, fidelity=9)
    assert score_of(result(task_of(LOSS, full=9), *trials), task_of(LOSS, full=9)) == 2.0
    anytime = task_of(LOSS, full=9, anytime=True)
    assert score_of(result(anytime, *trials), anytime) == 1.0


def test_of_several_objectives_the_score_is_the_hypervolume_within_the_reference_point() -> None:
    task = task_of(Objective("error", reference=4.0), Objective("accuracy", "max", reference=0.5))
    assert score_of(result(task, trial(1.0, -0.75)), task) == pytest.approx(-3.0 * 0.25)
    assert score_of(result(task, trial(1.0, -0.25)), task) == 0.0
    assert score_of(result(task), task) == math.inf
    open_ended = task_of(Objective("error", reference=4.0), Objective("accuracy", "max"))
    assert score_of(result(open_ended, trial(1.0, -0.75)), open_ended) is None
