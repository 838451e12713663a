"""Successive halving against a definition written out in loops."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orchestrator.stopping.halving import LARGEST_NET, Rung, goes_on, order

Point = Sequence[float]

POINTS = hnp.arrays(
    float,
    st.tuples(st.integers(1, 12), st.integers(1, 4)),
    elements=st.integers(0, 8).map(float),
)


def dominates(a: Point, b: Point) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def fronts(points: np.ndarray) -> list[set[int]]:
    left, found = set(range(len(points))), []
    while left:
        best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        found.append(best)
        left -= best
    return found


@given(POINTS)
def test_better_fronts_come_first(points: np.ndarray) -> None:
    rows = list(order(points))
    assert sorted(rows) == list(range(len(points)))
    for front in fronts(points):
        assert {rows.pop(0) for _ in front} == front


@given(POINTS)
def test_each_front_is_an_epsilon_net(points: np.ndarray) -> None:
    extent = np.where(np.ptp(points, axis=0) > 0, np.ptp(points, axis=0), 1)
    scaled = (points / extent).tolist()
    rows = [int(row) for row in order(points)]
    for front in fronts(points):
        first, *rest = (rows.pop(0) for _ in front)
        assert points[first, 0] == min(points[row, 0] for row in front)
        placed = [first]
        for row in rest:
            nearest = {
                other: min(math.dist(scaled[other], scaled[one]) for one in placed)
                for other in front - set(placed)
            }
            assert nearest[row] >= max(nearest.values()) - 1e-9
            placed.append(row)


@given(POINTS, st.data())
def test_what_violates_a_constraint_comes_last_the_most_violated_at_the_end(
    points: np.ndarray, data: st.DataObject
) -> None:
    amounts = hnp.arrays(float, (len(points), 2), elements=st.integers(-3, 3).map(float))
    violations = data.draw(amounts)
    excess = np.maximum(violations, 0).sum(axis=1)
    ordered = order(points, violations)
    assert (np.diff(excess[ordered]) >= 0).all()
    assert goes_on(points, int(ordered[0]), 2, violations)
    assert order(points, np.minimum(violations, 0)).tolist() == order(points).tolist()


@given(POINTS, st.integers(2, 5))
def test_a_share_of_one_in_eta_goes_on_and_the_first_always_does(points: np.ndarray, eta: int) -> None:
    assert goes_on(points[:1], 0, eta)
    kept = [row for row in range(len(points)) if goes_on(points, row, eta)]
    assert len(kept) == max(1, len(points) // eta)
    assert set(kept) == set(order(points)[: len(kept)].tolist())


@given(POINTS, st.sampled_from([0.5, 4.0, 1024.0]))
def test_units_do_not_matter(points: np.ndarray, factor: float) -> None:
    other = points.copy()
    other[:, -1] *= factor
    assert order(points).tolist() == order(other).tolist()


@given(hnp.arrays(float, st.tuples(st.integers(1, 12), st.just(1)), elements=st.integers(0, 50).map(float)))
def test_one_objective_is_plain_successive_halving(points: np.ndarray) -> None:
    ordered = points[order(points), 0]
    assert (np.diff(ordered) >= 0).all()


@given(POINTS, st.integers(2, 4), st.data())
def test_a_rung_decides_as_the_rule_does_report_by_report(
    points: np.ndarray, eta: int, data: st.DataObject
) -> None:
    amounts = hnp.arrays(float, (len(points), 2), elements=st.integers(-2, 2).map(float))
    violations = data.draw(amounts)
    rung = Rung(points.shape[1])
    for row in range(len(points)):
        told = rung.add(points[row].tolist(), violations[row].tolist(), eta)
        so_far = slice(row + 1)
        assert told == goes_on(points[so_far], row, eta, violations[so_far])
        assert told == (row in order(points[so_far], violations[so_far])[: max(1, (row + 1) // eta)])


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("drift", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("along", [False, True])
def test_many_reports_are_judged_as_if_all_were_sorted_again(
    objectives: int, drift: float, along: bool
) -> None:
    """Whether later reports are better or worse, and where all lie on one front that has to be thinned."""
    rng, eta, n = np.random.default_rng(objectives), 3, 350
    points = rng.random((n, objectives)).round(2) + drift * np.linspace(0, 1, n)[:, None]
    if along:
        points[:, -1] = -points[:, :-1].sum(axis=1)
    violations = rng.normal(-1, 1, size=(n, 1)).round(1)
    rung = Rung(objectives)
    told = [rung.add(points[row].tolist(), violations[row].tolist(), eta) for row in range(n)]
    assert told == [goes_on(points[: row + 1], row, eta, violations[: row + 1]) for row in range(n)]
    assert 0 < sum(told) < n


def test_a_large_front_is_thinned_along_its_first_objective() -> None:
    first = np.random.default_rng(0).random(4 * LARGEST_NET)
    points = np.column_stack([first, -first])
    kept = [row for row in range(len(points)) if goes_on(points, row, 4)]
    assert 0.15 < len(kept) / len(points) < 0.35
    assert int(np.argmin(first)) in kept
