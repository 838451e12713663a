"""Schedules, by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.benchmark.cell import Evaluator
from orchestrator.benchmark.records import Evaluation
from orchestrator.benchmark.simulation import Budget, simulate
from orchestrator.optimizers.nevergrad import Nevergrad
from orchestrator.optimizers.optuna import OptunaCmaEs, OptunaNsga2, OptunaTpe
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.sobol import SobolSearch
from orchestrator.search import Optimizer
from tests.orchestrator.benchmark.scripted import LOSS, PLANE, Recorded, Scripted, n_of, task, timed
from workloads.capabilities import Facts

DURATIONS = (3.0, 1.0, 1.0, 5.0, 1.0)


def course(
    optimizer: Optimizer,
    durations: Sequence[float],
    workers: int,
    synchronous: bool = False,
    time_limit: float | None = None,
) -> list[Evaluation]:
    given_task = task(timed(durations), evaluations=len(durations))
    evaluate, budget = Evaluator(given_task, seed=0), Budget(given_task)
    return list(
        simulate(optimizer, evaluate, budget, workers=workers, synchronous=synchronous, time_limit=time_limit)
    )


def schedule(evaluations: Sequence[Evaluation]) -> list[tuple[int, int, float, float]]:
    """Which n, on which worker, from when to when."""
    return [(n_of(one), one.worker, one.start, one.end) for one in evaluations]


def test_asynchronous_schedule() -> None:
    optimizer = Scripted(range(5))
    found = schedule(course(optimizer, DURATIONS, workers=2))
    assert found == [(1, 1, 0, 1), (2, 1, 1, 2), (0, 0, 0, 3), (4, 0, 3, 4), (3, 1, 2, 7)]
    assert optimizer.log == [
        *("ask 0", "ask 1", "tell 1", "ask 2", "tell 2", "ask 3", "tell 0", "ask 4", "tell 4", "tell 3"),
    ]


def test_synchronous_schedule() -> None:
    optimizer = Scripted(range(5))
    found = schedule(course(optimizer, DURATIONS, workers=2, synchronous=True))
    assert found == [(1, 1, 0, 1), (0, 0, 0, 3), (2, 0, 3, 4), (3, 1, 3, 8), (4, 0, 8, 9)]
    assert optimizer.log == [
        *("ask 0", "ask 1", "tell 1 0", "ask 2", "ask 3", "tell 2 3", "ask 4", "tell 4"),
    ]


def test_what_ends_together_ends_in_the_order_of_starting() -> None:
    optimizer = Scripted(range(6))
    found = schedule(course(optimizer, (2.0, 2.0, 2.0, 0.0, 2.0, 2.0), workers=3))
    assert found == [(0, 0, 0, 2), (1, 1, 0, 2), (2, 2, 0, 2), (3, 0, 2, 2), (4, 1, 2, 4), (5, 2, 2, 4)]
    assert optimizer.log[3:9] == ["tell 0", "ask 3", "tell 1", "ask 4", "tell 2", "ask 5"]


def test_a_worker_without_a_suggestion_waits_for_the_next_end() -> None:
    optimizer = Scripted([0, None, 1, 2])
    found = schedule(course(optimizer, (2.0, 1.0, 1.0, 1.0), workers=2))
    # The worker that waited comes before the one that has just become free.
    assert found == [(0, 0, 0, 2), (1, 1, 2, 3), (2, 0, 2, 3)]


def test_a_batch_may_be_smaller_than_the_workers() -> None:
    optimizer = Scripted([0, None, 1, 2])
    found = schedule(course(optimizer, (2.0, 1.0, 1.0, 1.0), workers=2, synchronous=True))
    assert found == [(0, 0, 0, 2), (1, 0, 2, 3), (2, 1, 2, 3)]


@pytest.mark.parametrize(("synchronous", "ended"), [(False, [1, 2, 0]), (True, [1, 0])])
def test_what_ends_after_the_limit_is_not_there(synchronous: bool, ended: list[int]) -> None:
    found = course(Scripted(range(5)), DURATIONS, 2, synchronous, time_limit=3.0)
    assert [n_of(one) for one in found] == ended


def test_a_batch_is_cut_at_the_limit() -> None:
    optimizer = Scripted(range(5))
    found = course(optimizer, DURATIONS, workers=2, synchronous=True, time_limit=4.0)
    assert [n_of(one) for one in found] == [1, 0, 2]
    assert optimizer.log[-1] == "ask 3"


def test_no_more_are_asked_for_than_fit() -> None:
    optimizer = Scripted(range(9))
    found = course(optimizer, DURATIONS, workers=4, synchronous=True)
    assert len(found) == 5
    assert optimizer.pending == ()


CHEAP: list[Callable[[int], Optimizer]] = [
    lambda seed: RandomSearch(PLANE, [LOSS], seed),
    lambda seed: SobolSearch(PLANE, [LOSS], seed),
    lambda seed: OptunaTpe(PLANE, [LOSS], seed),
    lambda seed: OptunaCmaEs(PLANE, [LOSS], seed),
    lambda seed: OptunaNsga2(PLANE, [LOSS], seed),
    lambda seed: Nevergrad(PLANE, [LOSS], seed),
]


@pytest.mark.parametrize("make", CHEAP)
@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_one_worker_is_the_sequential_loop(
    make: Callable[[int], Optimizer], synchronous: bool, seed: int
) -> None:
    def function(config: dict[str, float], seed: int) -> dict[str, float]:
        noise = np.random.default_rng(seed).random()
        return {"loss": config["x"] ** 2 + noise if config["y"] < 4 else float("nan"), "time": noise}

    given_task = task(Recorded(function, PLANE, facts=Facts(seconds="time")), evaluations=20)
    evaluate = Evaluator(given_task, seed)

    optimizer, now, expected = make(seed), 0.0, list[Evaluation]()
    for _ in range(20):
        (suggestion,) = optimizer.ask()
        outcome = evaluate(suggestion)
        optimizer.tell([outcome.trial])
        expected.append(Evaluation(outcome.trial, 1.0, now, now := now + outcome.duration))

    # Another evaluator, since one counts how often it has seen a configuration.
    again = Evaluator(given_task, seed)
    found = simulate(make(seed), again, Budget(given_task), workers=1, synchronous=synchronous)
    assert list(map(repr, found)) == list(map(repr, expected))


@given(
    durations=st.lists(st.integers(0, 9).map(float), min_size=1, max_size=30),
    workers=st.integers(1, 5),
    synchronous=st.booleans(),
)
def test_every_schedule_is_possible(durations: list[float], workers: int, synchronous: bool) -> None:
    found = course(Scripted(range(99)), durations, workers, synchronous)
    assert sorted(n_of(one) for one in found) == list(range(len(durations)))
    assert [one.end for one in found] == sorted(one.end for one in found)
    assert all(one.end - one.start == durations[n_of(one)] for one in found)
    for worker in range(workers):
        mine = sorted(
            (one for one in found if one.worker == worker), key=lambda one: one.trial.suggestion.token
        )
        assert all(before.end <= after.start for before, after in pairwise(mine))
    if not synchronous:
        # Nobody is ever idle while there is something to do: all are done within the greedy bound.
        busy = sum(durations) / workers + max(durations)
        assert found[-1].end <= busy
