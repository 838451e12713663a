"""What the best models of noisy tasks do on held-out data.

The best of many noisy results looks better than it is, and the more so the more results a method had to
choose from. So where the workload keeps held-out data, the model that a cell ends with is scored on them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
from scipy import stats

from orchestrator.analysis.groups import Group
from orchestrator.benchmark.records import Results, TaskRecord

HELD_OUT_COLUMNS = ("task", "method", "metric", "direction", "seeds", "mean", "low", "high", "rank")

_PREFIXES = ("validation_", "valid_", "val_")

Row = tuple[str, str, str, str, int, float, float, float, float]


def held_out(results: Results, group: Group, keys: Set[tuple[str, str, int]]) -> Iterator[Row]:
    """Rows of :data:`HELD_OUT_COLUMNS`, per task and method of a group.

    ``mean``, ``low`` and ``high`` (quartiles) are over the ``seeds`` with a held-out score. ``rank`` is by
    the mean, 1 the best; NaN on a task where some method lacks a score for a seed that counts.

    Args:
        keys: (task, method, seed) of the cells that count.
    """
    scores = _scores(results, keys)
    if not scores:
        return
    counted = Counter((task, method) for task, method, _ in keys)
    for name in group.tasks:
        task = results.tasks[name]
        found = {method: scores.get((name, method), {}) for method in group.methods}
        metric = _metric(task, [metrics for own in found.values() for metrics in own.values()])
        if metric is None:
            continue
        sign = 1.0 if task.directions[0] == "min" else -1.0
        values = {
            method: np.array([own[seed].get(metric, np.nan) for seed in sorted(own)])
            for method, own in found.items()
        }
        whole = all(len(values[method]) == counted[name, method] for method in group.methods)
        whole = whole and not any(np.isnan(own).any() for own in values.values())
        means = {method: float(np.mean(own)) if len(own) else np.nan for method, own in values.items()}
        places = stats.rankdata([sign * means[method] for method in group.methods]) if whole else None
        for place, (method, own) in enumerate(values.items()):
            low, high = np.quantile(own, (0.25, 0.75)) if len(own) else (np.nan, np.nan)
            rank = np.nan if places is None else float(places[place])
            shown = (len(own), means[method], float(low), float(high), rank)
            yield name, method, metric, task.directions[0], *shown


def _scores(
    results: Results, keys: Set[tuple[str, str, int]]
) -> dict[tuple[str, str], dict[int, Mapping[str, float]]]:
    found: dict[tuple[str, str], dict[int, Mapping[str, float]]] = {}
    cells = results.cells
    if "test" not in cells:
        return found
    tested = cells[cells["test"].fillna("") != ""]
    for row in tested.itertuples():
        if (row.task, row.method, row.seed) in keys:
            found.setdefault((row.task, row.method), {})[row.seed] = json.loads(row.test)
    return found


def _metric(task: TaskRecord, tests: Sequence[Mapping[str, float]]) -> str | None:
    """The held-out metric of the task's objective: ``test_error`` for ``validation_error`` or ``error``."""
    name = task.objectives[0]
    prefix = next((one for one in _PREFIXES if name.startswith(one)), "")
    wanted = f"test_{name.removeprefix(prefix)}"
    return wanted if any(wanted in test for test in tests) else None
