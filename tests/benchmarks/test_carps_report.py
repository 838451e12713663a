"""Our report on logs whose numbers were calculated by hand, and how differences from carps' are told apart.

carps' rules are written down here once more, so that no carps is needed; the comparison itself takes minutes.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestrator.analysis.analysis import analyse
from orchestrator.benchmark.records import Results
from tests.benchmarks.carps_cases import CASES, write
from tests.benchmarks.carps_comparison import EPSILON, Frames, comparisons, hand_written, ours_in
from tests.benchmarks.carps_report import ours_of

KEY = ["task", "method", "seed"]


def imported(name: str, folder: Path) -> Results:
    write(CASES[name], folder / "logs")
    return ours_of(folder / "logs", folder / "run")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return imported("plain", tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def theirs(plain: Results) -> Frames:
    return by_carps_rules(plain)


@pytest.mark.parametrize("name", CASES)
def test_our_numbers_are_those_calculated_by_hand(name: str, tmp_path: Path) -> None:
    found = ours_in(analyse(imported(name, tmp_path), {}))
    expected = {one: both.ours for one, both in CASES[name].numbers.items()}
    assert {one: found.get(one, math.nan) for one in expected} == pytest.approx(expected, nan_ok=True)


def test_the_plain_case_has_friedmans_p_and_demsars_critical_difference(plain: Results) -> None:
    (row, _) = analyse(plain, {}).tests.to_dict("records")
    # Of rank sums 3.5, 6.5 and 8: 3.5, divided by 11/12 for the one tie of two.
    assert row["statistic"] == pytest.approx(42 / 11)
    assert row["p"] == pytest.approx(math.exp(-21 / 11))
    assert row["critical_difference"] == pytest.approx(2.343 * math.sqrt(3 * 4 / (6 * 3)), abs=1e-3)


def test_carps_rules_agree_with_ours_or_differ_by_what_is_known(plain: Results, theirs: Frames) -> None:
    outcomes = {one.quantity: one.outcome for one in comparisons(theirs, plain)}
    different = {
        "critical difference",
        "overall curves",
        "ranks over time",
        "normalised scores",
        "final scores",
    }
    assert outcomes == {
        f"BB: {name}": "differs" if name in different else "equal"
        for name in (
            *("incumbents", "normalised scores", "budget spent", "final values", "final scores"),
            *("curves of tasks", "mean ranks", "Friedman's p", "critical difference", "pairs that differ"),
            *("overall curves", "ranks over time"),
        )
    }


def test_what_no_known_step_explains_is_unexplained(plain: Results, theirs: Frames) -> None:
    trials = theirs["trials"].copy()
    trials.loc[5, "trial_value__cost_inc_norm"] += 1e-6
    changed = {**theirs, "trials": trials, "budget": theirs["budget"].iloc[1:]}
    outcomes = {one.quantity: one.outcome for one in comparisons(changed, plain)}
    unexplained = {quantity for quantity, outcome in outcomes.items() if outcome == "unexplained"}
    assert unexplained == {"BB: normalised scores", "BB: budget spent"}


def test_a_case_is_unexplained_unless_both_sides_are_as_calculated(tmp_path: Path) -> None:
    case, analysis = CASES["a crash"], analyse(imported("a crash", tmp_path), {})
    ranks = pd.DataFrame({"optimizer_id": ["a", "b"], "meanrank": [1.0, 2.0]})
    final = pd.DataFrame({"task_id": "t1", "optimizer_id": ["a", "b"], "normalised": [0.0, 0.5]})
    theirs = {"ranks": ranks, "final": final}
    assert hand_written("a crash", case, theirs, analysis).outcome == "differs"
    theirs["ranks"] = ranks.assign(meanrank=[2.0, 1.0])
    assert hand_written("a crash", case, theirs, analysis).outcome == "unexplained"


def by_carps_rules(results: Results) -> Frames:
    """The tables of ``carps_numbers.py`` for tasks with one objective, three methods and three tasks."""
    trials = results.evaluations[KEY].assign(
        type="BB",
        number=results.evaluations["number"] + 1,
        cost=[float(one) for (one,) in results.evaluations["losses"]],
    )
    trials["trial_value__cost_inc"] = trials.groupby(KEY)["cost"].cummin()
    trials["cost_norm"] = trials.groupby("task")["cost"].transform(normalise)
    trials["trial_value__cost_inc_norm"] = trials.groupby(KEY)["cost_norm"].cummin()
    trials["share"] = trials.groupby("task")["number"].transform(normalise)
    last = trials.groupby(KEY).last()
    columns = {"trial_value__cost_inc": "raw", "trial_value__cost_inc_norm": "normalised"}
    final = last.groupby(["task", "method"])[list(columns)].mean().rename(columns=columns).reset_index()
    table = final.pivot(index="task", columns="method", values="raw")
    order = table.rank(axis="columns").mean().rename("meanrank").reset_index()
    # As statsmodels has the quantile, 5e-6 too large.
    tests = {"p": math.exp(-21 / 11), "quantile": 3.314498, "cd": 3.314498 * math.sqrt(3 * 4 / (12 * 3))}
    return {
        "trials": trials,
        "final": final,
        "budget": last["number"].div(3).rename("percent_budget_used").reset_index(),
        "ranks": order.assign(type="BB", **tests),
        "curves": pd.concat([_at(trials, share) for share in np.linspace(0, 1, 21)]),
    }


def normalise(values: pd.Series) -> pd.Series:
    return (values - values.min()) / (values.max() - values.min() + EPSILON)


def _at(trials: pd.DataFrame, share: float) -> pd.DataFrame:
    """What carps shows at a share of the budget."""
    rows = [
        (
            *key[:2],
            *(
                np.interp(share, own["share"], own[f"trial_value__{name}"])
                for name in ("cost_inc", "cost_inc_norm")
            ),
        )
        for key, own in trials.groupby(KEY)
    ]
    found = pd.DataFrame(rows, columns=["task", "method", "raw", "mean"])
    table = found.groupby(["task", "method"])["raw"].mean().unstack()
    means = pd.DataFrame(
        {"meanrank": table.rank(axis="columns").mean(), "mean": found.groupby("method")["mean"].mean()}
    )
    return means.rename_axis("method").reset_index().assign(type="BB", share=share)
