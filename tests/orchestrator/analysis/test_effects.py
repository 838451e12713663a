"""Effect sizes, targets, profiles, fronts and breakdowns, against brute force and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.analysis import analyse
from orchestrator.analysis.effects import a12, balance, interquartile_mean
from orchestrator.analysis.targets import expected_time
from orchestrator.randomness import stream
from tests.orchestrator.analysis import made


@pytest.mark.parametrize("draw", range(5))
def test_a12_is_the_share_of_pairs_of_runs(draw: int) -> None:
    rng = stream(draw, "runs")
    first, second = rng.integers(0, 6, 7).astype(float), rng.integers(0, 6, 5).astype(float)
    first[0] = np.inf
    pairs = [1.0 if x < y else 0.5 if x == y else 0.0 for x in first for y in second]
    assert a12(first, second) == pytest.approx(np.mean(pairs))
    assert a12(first, second) + a12(second, first) == pytest.approx(1.0)


def test_wins_ties_and_losses() -> None:
    assert balance([[1, 2], [1.5, 1.5], [2, 1], [1, 2]], 0, 1) == (2, 1, 1)


def test_the_interquartile_mean_leaves_out_a_quarter_at_both_ends() -> None:
    assert interquartile_mean([100.0, 1.0, 2.0, -7.0]) == pytest.approx(1.5)


def test_expected_time_charges_runs_that_miss_the_whole_budget() -> None:
    """Hansen et al. (2021): evaluations of all runs until the target, divided by how many reached it."""
    assert expected_time(np.array([3.0, np.inf, 5.0]), 20.0) == pytest.approx((3 + 20 + 5) / 2)
    assert expected_time(np.array([np.inf]), 20.0) == np.inf


def test_targets_and_profiles() -> None:
    task = made.task("BB", 1, evaluations=4)
    losses = {
        (task.name, "quick", 0): [1010.0, 10.0],
        (task.name, "quick", 1): [1010.0, 10.0, 10.0, 10.0],
        (task.name, "slow", 0): [1010.0, 900.0, 900.0, 10.0],
        (task.name, "slow", 1): [1010.0, 900.0, 900.0, 900.0],
    }
    analysis = analyse(made.of_losses(losses, [task]), {})
    rows = analysis.targets[analysis.targets["target"] == 0.01].set_index("method")
    assert rows["reached"].to_dict() == {"quick": 2, "slow": 1}
    assert rows["ert"].to_dict() == {"quick": 2.0, "slow": 8.0}
    assert rows["speed_up"].to_dict() == {"quick": 1.0, "slow": 0.25}
    steps = analysis.profiles[(analysis.profiles["group"] == "BB") & (analysis.profiles["method"] == "slow")]
    performance = steps[steps["kind"] == "performance"]
    assert performance[["x", "share", "n"]].to_numpy().tolist() == [[1.0, 0.0, 1.0], [4.0, 1.0, 1.0]]
    data = steps[steps["kind"] == "data"]
    assert data[["x", "share"]].to_numpy().tolist() == [[0.0, 0.0], [pytest.approx(4 / 3), 0.5]]


def test_a_front_that_is_the_reference_has_no_distance_to_it() -> None:
    task = made.task("MO", 1)
    results = made.results([task], {"good": 3.0, "poor": 0.6}, seeds=range(3))
    rows = analyse(results, {}).fronts.set_index("method")
    assert (rows["igd_plus"] >= 0).all() and rows.loc["good", "igd_plus"] < rows.loc["poor", "igd_plus"]
    assert rows.loc["good", "epsilon"] < rows.loc["poor", "epsilon"]
    alone = analyse(made.results([task], {"good": 3.0}, seeds=[0]), {}).fronts.iloc[0]
    assert alone["igd_plus"] == 0 and alone["epsilon"] == pytest.approx(0)


def test_ranks_by_factor_and_without_each_suite() -> None:
    analysis = analyse(made.results(made.four_types(2), seeds=range(2)), {})
    counts = analysis.breakdown.groupby(["factor", "level"])["tasks"].first()
    assert counts["suite"].to_dict() == {"bbob": 2, "hartmann": 2, "zdt": 2, "surrogate": 2}
    assert "parameters" not in counts, "all have 2 or 3, so that it would say nothing more"
    without = analysis.stability.groupby("without")["tasks"].first()
    assert without.to_dict() == {"": 8, "bbob": 6, "hartmann": 6, "surrogate": 6, "zdt": 6}
    assert analyse(made.results([made.task("BB", 1)]), {}).stability.empty


def test_the_median_never_leaves_its_band() -> None:
    curves = analyse(made.results(made.four_types(1)), {}).curves
    assert (curves["low"] <= curves["median"]).all() and (curves["median"] <= curves["high"]).all()
    assert set(curves["seeds"]) == {5}


def test_mean_ranks_over_the_budget_end_at_the_mean_ranks() -> None:
    analysis = analyse(made.results(failing=0.0), {})
    ends = analysis.overall[(analysis.overall["x"] == 1) & (analysis.overall["axis"] == "evaluations")]
    found = ends.set_index(["group", "method"])["rank"]
    expected = analysis.ranks.set_index(["group", "method"])["rank"]
    assert found.to_dict() == pytest.approx(expected.to_dict())
    assert (analysis.overall["rank_low"] <= analysis.overall["rank_high"]).all()


def test_the_interval_of_one_task_is_that_of_the_mean_over_its_seeds() -> None:
    task, n = made.task("MF", 1, evaluations=1), 400
    finals = np.linspace(0, 1, n) ** 2
    losses = {(task.name, "one", seed): [float(final)] for seed, final in enumerate(finals)}
    overall = analyse(made.of_losses(losses, [task]), {}).overall
    last = overall[(overall["group"] == "MF") & (overall["x"] == 1)].iloc[0]
    reach = stats.norm.ppf(0.975) * finals.std() / np.sqrt(n)
    found = [last["mean"] - last["low"], last["high"] - last["mean"]]
    assert found == pytest.approx([reach, reach], rel=0.2)
