"""How long methods take to reach a target: expected running times, speed-ups and profiles.

A target is a normalised score on a task (:class:`.courses.Scale`): 0 is the best that any cell has seen,
which stands for the optimum where that is not known, 1 the worst. Time is counted in full evaluations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from orchestrator.analysis.courses import Array, Run
from orchestrator.analysis.groups import Group

TARGET_COLUMNS = ("task", "method", "target", "runs", "reached", "ert", "speed_up")
PROFILE_COLUMNS = ("group", "method", "kind", "x", "share", "n")

TARGETS = (0.1, 0.01, 0.001)
PROFILED = 0.01
"""The target of the profiles."""

TargetRow = tuple[str, str, float, int, int, float, float]
ProfileRow = tuple[str, str, str, float, float, int]
Times = Mapping[tuple[str, str], Array]
"""Full evaluations until a target, by task and method, one per run; infinite where it was not reached."""


def run_times(runs: Sequence[Run], target: float) -> Times:
    """When each run reached ``target``."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run.course.task.name, run.course.method), []).append(run)
    return {pairing: _reached(own, target) for pairing, own in found.items()}


def expected_time(times: Array, budget: float) -> float:
    """COCO's expected running time: what all runs spent until the target, per run that reached it.

    A run that did not reach it is charged the whole budget, also where it failed earlier. Infinite where no
    run reached the target.
    """
    reached = np.isfinite(times)
    spent = times[reached].sum() + budget * (~reached).sum()
    return float(spent / reached.sum()) if reached.any() else np.inf


def target_rows(runs: Sequence[Run], methods: Sequence[str]) -> Iterator[TargetRow]:
    """Rows of :data:`TARGET_COLUMNS`. ``ert`` is NaN where no run reached the target.

    ``speed_up`` is the first method's expected time divided by this one's; NaN where either is unknown.
    """
    budgets = {run.course.task.name: float(run.course.task.evaluations) for run in runs}
    every = {target: run_times(runs, target) for target in TARGETS}
    for task, budget in budgets.items():
        for target, times in every.items():
            own = [method for method in methods if (task, method) in times]
            expected = {method: expected_time(times[task, method], budget) for method in own}
            base = expected.get(methods[0], np.inf)
            for method in own:
                time = expected[method]
                known = np.isfinite(time)
                speed_up = base / time if known and np.isfinite(base) else np.nan
                found = times[task, method]
                reached = int(np.isfinite(found).sum())
                yield task, method, target, len(found), reached, time if known else np.nan, speed_up


def profiles(group: Group, runs: Sequence[Run]) -> Iterator[ProfileRow]:
    """Rows of :data:`PROFILE_COLUMNS`: step points, ``share`` holds from ``x`` on; ``n`` is what it is of.

    - ``performance`` (Dolan and Moré 2002): the share of the group's tasks on which a method's expected time
      is at most ``x`` times the best method's.
    - ``data`` (Moré and Wild 2009): the share of (task, seed) that reached the target within ``x`` times
      (parameters + 1) full evaluations.
    """
    chosen = set(group.tasks)
    own = [run for run in runs if run.course.task.name in chosen]
    tasks = {run.course.task.name: run.course.task for run in own}
    times = run_times(own, PROFILED)
    if not group.methods or not tasks:
        return
    expected = np.array(
        [
            [expected_time(times[name, method], float(task.evaluations)) for method in group.methods]
            for name, task in tasks.items()
        ]
    )
    best = expected.min(axis=1)
    solved = np.isfinite(best)
    ratios = expected[solved] / best[solved, None]
    for place, method in enumerate(group.methods):
        yield from _steps(group.name, method, "performance", ratios[:, place], len(tasks), 1.0)
        scaled = [times[name, method] / (task.dimension + 1) for name, task in tasks.items()]
        every = np.concatenate(scaled)
        yield from _steps(group.name, method, "data", every, len(every), 0.0)


def _steps(group: str, method: str, kind: str, values: Array, n: int, first: float) -> Iterator[ProfileRow]:
    places, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if not len(places) or places[0] > first:
        yield group, method, kind, first, 0.0, n
    for x, share in zip(places.tolist(), (np.cumsum(counts) / n).tolist(), strict=True):
        yield group, method, kind, x, share, n


def _reached(runs: Sequence[Run], target: float) -> Array:
    """When each run of a method on a task reached ``target``; infinite where it did not."""
    scale = runs[0].scale
    limit = scale.best + target * (scale.worst - scale.best)
    # Incumbents never increase; no comparison with NaN, the scale of a task without results, is true.
    lengths = np.array([len(run.incumbents) for run in runs])
    if (lengths == lengths[0]).all():
        below = (np.stack([run.incumbents for run in runs]) <= limit).sum(axis=1)
    else:
        below = np.array([np.count_nonzero(run.incumbents <= limit) for run in runs])
    places = (lengths - below).tolist()
    return np.array(
        [
            run.course.spent[place] if place < n else np.inf
            for run, place, n in zip(runs, places, lengths.tolist(), strict=True)
        ],
        dtype=float,
    )
