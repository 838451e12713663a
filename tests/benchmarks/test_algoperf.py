"""AlgoPerf's score against its formula, on tables made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.algoperf import (
    complete,
    friedman,
    profile,
    ratios,
    scores,
    study_times,
    table,
    task_times,
)

INF = np.inf


def test_a_score_is_the_mean_of_the_profile_up_to_four() -> None:
    # Three tasks, three methods: ratios (1, 2, inf), (1.5, 1, 5), and a task that nobody solves.
    found = ratios(np.array([[10.0, 20.0, INF], [30.0, 20.0, 100.0], [INF, INF, INF]]))
    assert found.tolist() == [[1, 2, INF], [1.5, 1, 5], [INF, INF, INF]]
    assert profile(found, 1.0) == pytest.approx([1 / 3, 1 / 3, 0])
    assert profile(found, 1.5) == pytest.approx([2 / 3, 1 / 3, 0])
    assert profile(found, 5.0) == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    # The first: 1/3 from 1 to 1.5, 2/3 from there to 4. The second: 1/3 up to 2, then 2/3.
    expected = [(0.5 * 1 / 3 + 2.5 * 2 / 3) / 3, (1 * 1 / 3 + 2 * 2 / 3) / 3, 0]
    assert scores(found) == pytest.approx(expected)


def test_a_score_is_the_integral_of_the_profile() -> None:
    found = ratios(np.random.default_rng(0).lognormal(0, 0.6, (9, 4)))
    grid = np.linspace(1, 4, 30_001)
    profiles = np.stack([profile(found, tau) for tau in grid])
    assert scores(found) == pytest.approx(profiles.mean(axis=0), abs=1e-4)


def evaluations() -> pd.DataFrame:
    """One task, two methods, three studies of two trials; a trial without the target has failed."""
    rows = [
        ("one", 0, 40.0, 2.0), ("one", 0, 20.0, 3.0),
        ("one", 1, None, 9.0), ("one", 1, 30.0, 5.0),
        ("one", 2, None, 9.0), ("one", 2, None, 9.0),
        ("other", 0, 60.0, 4.0), ("other", 0, 70.0, 4.5),
        ("other", 1, 90.0, 8.0), ("other", 1, None, 9.0),
        ("other", 2, 50.0, 1.0), ("other", 2, 55.0, 2.0),
    ]  # fmt: skip
    return pd.DataFrame(
        {
            "task": "mlp",
            "method": [row[0] for row in rows],
            "seed": [row[1] for row in rows],
            "status": ["failed" if row[2] is None else "finished" for row in rows],
            "losses": [[np.nan if row[2] is None else row[2]] for row in rows],
            "start": 1.0,
            "end": [1.0 + row[3] for row in rows],
        }
    )


def test_a_study_is_its_fastest_trial_and_a_task_the_median_study() -> None:
    steps, seconds = (study_times(evaluations(), measure) for measure in ("steps", "seconds"))
    assert steps["time"].tolist() == [20, 30, INF, 60, 90, 50]
    assert seconds["time"].tolist() == [2, 5, INF, 4, 8, 1]
    assert task_times(steps).loc["mlp"].to_dict() == {"one": 30, "other": 60}
    found = table(steps)
    assert found["score"].to_dict() == pytest.approx({"one": 1.0, "other": 2 / 3})
    assert found["studies"].to_dict() == {"one": "2/3", "other": "3/3"}
    assert found["tau=1.5"].to_dict() == {"one": 1.0, "other": 0.0}


def test_tasks_that_not_every_method_has_ended_are_left_out() -> None:
    studies = study_times(evaluations(), "steps")
    cut = pd.concat([studies, studies[:-1].assign(task="cnn")])
    assert set(complete(cut)["task"]) == {"mlp"} and len(complete(cut)) == 6


def test_friedmans_test_ties_what_reached_nothing() -> None:
    times = pd.DataFrame([[1.0, 2, INF, INF], [2, 3, INF, INF], [1, 4, INF, INF]], columns=list("abcd"))
    statistic, p = friedman(times)
    # Ranks 1, 2, 3.5 and 3.5 everywhere: as far apart as they can be with that tie.
    assert statistic == pytest.approx(9.0) and p < 0.05
