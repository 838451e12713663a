"""The order of methods on a task: no pattern of failures raises the rank of the method that failed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.analysis.analysis import Analysis, analyse
from orchestrator.analysis.places import block_ranks, keys_of
from orchestrator.benchmark.records import Results
from tests.orchestrator.analysis import made

Key = tuple[str, str, int]

TASKS = [made.task("MF", number, evaluations=4) for number in (1, 2)]
METHODS = ("crasher", "other", "third")
KEYS = [(task.name, method, seed) for task in TASKS for method in METHODS for seed in range(2)]
LOSSES = st.lists(st.sampled_from([np.nan, 0.0, 1 / 3, 1.0, 4.0, 10.0]), min_size=1, max_size=4)
"""Few values, so that methods tie and the worst is often the crasher's own."""


def crashed(results: Results, key: Key, after: int) -> Results:
    """The results with one cell failed after so many evaluations."""

    def own(frame: pd.DataFrame) -> pd.Series:
        return (frame["task"] == key[0]) & (frame["method"] == key[1]) & (frame["seed"] == key[2])

    cells = results.cells.assign(status=results.cells["status"].mask(own(results.cells), "failed"))
    gone = own(results.evaluations) & (results.evaluations["number"] >= after)
    return replace(results, cells=cells, evaluations=results.evaluations[~gone].reset_index(drop=True))


def ranks(results: Results) -> dict[tuple[str, str], float]:
    table = analyse(results, {}).ranks
    return dict(zip(zip(table["group"], table["method"], strict=True), table["rank"], strict=True))


@settings(max_examples=25, deadline=None)
@given(
    losses=st.fixed_dictionaries(dict.fromkeys(KEYS, LOSSES)),
    crashes=st.dictionaries(
        st.sampled_from([key for key in KEYS if key[1] == "crasher"]), st.integers(0, 3), max_size=2
    ),
)
def test_no_failure_raises_a_methods_mean_rank(
    losses: dict[Key, list[float]], crashes: dict[Key, int]
) -> None:
    results = made.of_losses(losses, TASKS)
    before = ranks(results)
    for key, after in crashes.items():
        results = crashed(results, key, after)
        now = ranks(results)
        for group in ("MF", "all"):
            rank = now.get((group, "crasher"), np.inf)  # without any finished cell it has no rank
            assert rank >= before.get((group, "crasher"), 0.0)
        before = now


def test_a_crash_that_moves_the_scale_does_not_raise_a_rank() -> None:
    """The crasher's worst evaluation sets the scale, and with it the price of its seed without a result."""
    task = made.task("MF", 1, evaluations=4)
    losses = {
        (task.name, "crasher", 0): [np.nan],
        (task.name, "crasher", 1): [0.0, 10.0],
        (task.name, "steady", 0): [4.0, 3.0],
        (task.name, "steady", 1): [4.0, 3.0],
    }
    results = made.of_losses(losses, [task])
    after = crashed(results, (task.name, "crasher", 1), 1)
    means = analyse(after, {}).means.set_index("method")["normalised"]
    assert means["crasher"] < means["steady"]
    assert ranks(results)["MF", "crasher"] == ranks(after)["MF", "crasher"] == 2.0


def test_fewer_seeds_without_a_result_come_first_then_the_smaller_mean() -> None:
    finals = {"none": [1.0, 2.0], "one": [0.0, np.nan], "all": [np.nan, np.nan], "worse": [2.0, 3.0]}
    rows = [
        ("task", method, value, bool(np.isfinite(value))) for method in finals for value in finals[method]
    ]
    keys = keys_of(pd.DataFrame(rows, columns=["task", "method", "value", "found"]))
    assert block_ranks(keys, [("task",)], list(finals)).tolist() == [[1.0, 3.0, 4.0, 2.0]]


def test_variants_of_a_problem_count_as_one_task() -> None:
    tasks = [made.task("BB", number) for number in (1, 2, 3)]
    plain = made.results(tasks, failing=0.0)
    same = {name: replace(task, problem="net") for name, task in list(plain.tasks.items())[:2]}
    found: Analysis = analyse(replace(plain, tasks={**plain.tasks, **same}), {})
    assert set(analyse(plain, {}).ranks["tasks"]) == {3} and set(found.ranks["tasks"]) == {2}
    reason = found.omitted.set_index("what").loc[tasks[0].name, "reason"]
    assert "variants of one problem and count as one" in str(
        reason.iloc[0] if hasattr(reason, "iloc") else reason
    )


def test_cells_with_budget_left_are_marked() -> None:
    task = made.task("BB", 1, evaluations=4)
    values = {"early": [1.0, 2.0], "late": [1.0, 2.0, 1.0, 3.0]}
    losses = {(task.name, method, seed): values[method] for method in values for seed in range(2)}
    analysis = analyse(made.of_losses(losses, [task]), {})
    assert set(analysis.scores.groupby("method")["spent"].max().items()) == {("early", 0.5), ("late", 1.0)}
    reasons = analysis.omitted.set_index("what")["reason"]
    reason = "2 of its cells ended with budget unspent, the first after 50% of it"
    assert reasons[f"early on {task.name}"] == reason and f"late on {task.name}" not in reasons
