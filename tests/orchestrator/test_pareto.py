import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from optuna._hypervolume import compute_hypervolume

from orchestrator.pareto import (
    attainment,
    feasible,
    hypervolume,
    hypervolume_over_time,
    knee,
    nondominated,
    ranks,
    reference_point,
)
from workloads import Objective

Array = NDArray[np.float64]

points = arrays.arrays(
    float,
    st.tuples(st.integers(1, 12), st.integers(1, 4)),
    elements=st.integers(0, 5).map(float) | st.just(float("nan")),
)


def dominates(one: Array, other: Array) -> bool:
    return bool((one <= other).all() and (one < other).any())


def by_inclusion_and_exclusion(losses: Array, reference: Array) -> float:
    """Hypervolume as the volume of a union of boxes."""
    volume = 0.0
    for size in range(1, len(losses) + 1):
        for chosen in itertools.combinations(losses, size):
            sides = np.maximum(reference - np.max(chosen, axis=0), 0.0)
            volume += (-1) ** (size + 1) * float(np.prod(sides))
    return volume


def random_front(n: int, m: int, seed: int) -> Array:
    """Points on the positive part of the unit sphere, and as many behind it."""
    directions = np.abs(np.random.default_rng(seed).normal(size=(n, m)))
    front = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.vstack([front, 1.1 * front + 0.02])


@given(points)
def test_nondominated_rows_are_those_that_nothing_dominates(losses: Array) -> None:
    known = ~np.isnan(losses).any(axis=1)
    expected = [
        known[i] and not any(dominates(losses[j], losses[i]) for j in np.flatnonzero(known))
        for i in range(len(losses))
    ]
    assert nondominated(losses).tolist() == expected


@given(points, st.data())
def test_infeasible_rows_are_in_no_front_and_dominate_nothing(losses: Array, data: st.DataObject) -> None:
    values = st.sampled_from([-1.0, 0.0, 0.5, 2.0, float("nan")])
    violations = data.draw(arrays.arrays(float, (len(losses), 2), elements=values))
    allowed = feasible(losses, violations)
    assert allowed.tolist() == [
        not np.isnan(row).any() and bool((violation <= 0).all())
        for row, violation in zip(losses, violations, strict=True)
    ]
    members = nondominated(losses, violations)
    assert not members[~allowed].any()
    assert members[allowed].tolist() == nondominated(losses[allowed]).tolist()


@given(points)
def test_every_rank_above_the_best_is_dominated_from_the_rank_before(losses: Array) -> None:
    known = ~np.isnan(losses).any(axis=1)
    rank = ranks(losses)
    assert (rank == 0)[known].tolist() == nondominated(losses)[known].tolist()
    for i in np.flatnonzero(known & (rank > 0)):
        before = np.flatnonzero(known & (rank == rank[i] - 1))
        assert any(dominates(losses[j], losses[i]) for j in before)
    if known.any() and not known.all():
        assert rank[~known].min() > rank[known].max()


def test_ranks_put_the_less_violating_first_and_those_without_a_result_last() -> None:
    losses = [[0.0, 0.0], [3.0, 3.0], [1.0, 1.0], [np.nan, 0.0], [2.0, 4.0]]
    violations = [[5.0, 0.0], [-1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [-2.0, -2.0]]
    assert ranks(losses, violations).tolist() == [2, 0, 1, 3, 0]


@pytest.mark.parametrize("m", range(1, 7))
def test_hypervolume_of_one_point_is_a_box(m: int) -> None:
    assert hypervolume([[0.25] * m], [1.0] * m) == pytest.approx(0.75**m)
    assert hypervolume([[1.0] + [0.0] * (m - 1)], [1.0] * m) == 0.0


def test_hypervolume_of_a_linear_front_approaches_its_triangle() -> None:
    n = 1000
    x = np.linspace(0.0, 1.0, n + 1)
    # Each step of the staircase leaves out half a square of side 1 / n.
    assert hypervolume(np.column_stack([x, 1 - x]), [1.0, 1.0]) == pytest.approx(0.5 - 0.5 / n)


@pytest.mark.parametrize("m", range(2, 7))
@pytest.mark.parametrize("seed", range(3))
def test_hypervolume_agrees_with_a_union_of_boxes(m: int, seed: int) -> None:
    front, reference = random_front(5, m, seed), np.full(m, 1.05)
    assert hypervolume(front, reference) == pytest.approx(
        by_inclusion_and_exclusion(front, reference), abs=1e-12
    )


@pytest.mark.parametrize("m", range(2, 7))
@pytest.mark.parametrize("seed", range(3))
def test_hypervolume_agrees_with_optuna(m: int, seed: int) -> None:
    front, reference = random_front(25, m, seed), np.full(m, 1.05)
    front = front[(front < reference).all(axis=1)]
    assert hypervolume(front, reference) == pytest.approx(compute_hypervolume(front, reference), rel=1e-9)


def test_hypervolume_of_a_large_front_in_six_objectives_is_close() -> None:
    front, reference = random_front(500, 6, 0), np.full(6, 1.1)
    small = front[:300]
    assert hypervolume(front, reference) > hypervolume(small, reference)
    # Above the dominated part of the unit ball's complement nothing is left: a sphere bounds it.
    assert hypervolume(front, reference) < 1.1**6 - np.pi**3 / 6 / 2**6


@given(points)
def test_hypervolume_over_time_is_that_of_every_prefix(losses: Array) -> None:
    reference = np.full(losses.shape[1], 4.5)
    known = ~np.isnan(losses).any(axis=1)
    expected = [hypervolume(losses[: i + 1][known[: i + 1]], reference) for i in range(len(losses))]
    np.testing.assert_allclose(hypervolume_over_time(losses, reference), expected)


def test_hypervolume_over_time_leaves_out_the_infeasible() -> None:
    losses = [[0.0, 0.0], [0.5, 0.5], [0.5, 0.5]]
    assert hypervolume_over_time(losses, [1.0, 1.0], [[1.0], [0.0], [-1.0]]).tolist() == [0.0, 0.25, 0.25]


def test_reference_point_is_what_is_configured_and_else_a_tenth_beyond_the_nadir() -> None:
    objectives = (Objective("loss"), Objective("accuracy", "max", reference=0.5), Objective("size"))
    losses = [[1.0, -0.9, 7.0], [2.0, -0.95, 7.0], [9.0, -0.8, 8.0]]
    np.testing.assert_allclose(reference_point(objectives, losses), [2.1, -0.5, 7.7])
    np.testing.assert_allclose(reference_point((Objective("a"),), [[0.0], [3.0]]), [0.1])
    assert np.isnan(reference_point((Objective("a"),), [[np.nan]])).all()


def test_the_knee_is_farthest_from_the_line_through_the_ends() -> None:
    losses = np.array([[0.0, 10.0], [1.0, 3.0], [5.0, 2.0], [10.0, 0.0], [9.0, 9.0], [np.nan, 0.0]])
    assert knee(losses) == 1
    ends = losses[3] - losses[0]
    offsets = losses[:4] - losses[0]
    distance = np.abs(ends[0] * offsets[:, 1] - ends[1] * offsets[:, 0])
    assert knee(losses) == int(np.argmax(distance))
    assert knee(losses * [1e6, 1e-6]) == 1
    assert knee(losses, [[0.0], [1.0], [0.0], [0.0], [0.0], [0.0]]) == 2


def test_the_knee_of_one_objective_is_the_best_and_of_nothing_is_none() -> None:
    assert knee([[3.0], [1.0], [2.0]]) == 1
    assert knee([[np.nan]]) is None


def test_attainment_surfaces_of_two_runs() -> None:
    surfaces = attainment([[[1.0, 2.0], [2.0, 1.0]], [[1.5, 1.5]]], levels=(0.5, 1.0))
    assert surfaces[0.5].tolist() == [[1.0, 2.0], [1.5, 1.5], [2.0, 1.0]]
    assert surfaces[1.0].tolist() == [[1.5, 2.0], [2.0, 1.5]]
    with pytest.raises(ValueError, match="two or three objectives"):
        attainment([[[1.0]]])


def test_losses_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(n, m\)"):
        nondominated([1.0, 2.0])
