"""How long methods take to reach a target: expected running times, speed-ups and profiles.

A target is a normalised score on a task (:class:`.courses.Scale`): 0 is the best that any cell has seen,
which stands for the optimum where that is not known, 1 the worst. Time is counted in full evaluations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from orchestrator.analysis.courses import Array
from orchestrator.analysis.groups import Group
from orchestrator.analysis.stacks import Stack, Stacks

TARGET_COLUMNS = ("task", "method", "target", "runs", "reached", "ert", "speed_up")
PROFILE_COLUMNS = ("group", "method", "kind", "x", "share", "n")

TARGETS = (0.1, 0.01, 0.001)
PROFILED = 0.01
"""The target of the profiles."""

TargetRow = tuple[str, str, float, int, int, float, float]
ProfileRow = tuple[str, str, str, float, float, int]


def run_times(stack: Stack, targets: Sequence[float]) -> Array:
    """Full evaluations until each run reached each target, infinite where it did not; ``(targets, runs)``."""
    scale = stack.scale
    limits = scale.best + np.array(targets) * (scale.worst - scale.best)
    # Incumbents never increase; no comparison with NaN, the scale of a task without results, is true.
    above = (~(stack.incumbents[:, 1:] <= limits[:, None, None])).sum(axis=2)
    return np.asarray(np.take_along_axis(stack.spent, above.T, axis=1).T)


def expected_time(times: Array, budget: float) -> Array:
    """COCO's expected running time: what all runs spent until the target, per run that reached it.

    A run that did not reach it is charged the whole budget, also where it failed earlier. Infinite where no
    run reached the target.

    Args:
        times: of the runs, along the last axis.
    """
    reached = np.isfinite(times)
    count = reached.sum(axis=-1)
    spent = np.where(reached, times, budget).sum(axis=-1)
    return np.asarray(np.where(count > 0, spent / np.maximum(count, 1), np.inf))


def target_rows(stacks: Stacks, methods: Sequence[str]) -> Iterator[TargetRow]:
    """Rows of :data:`TARGET_COLUMNS`. ``ert`` is NaN where no run reached the target.

    ``speed_up`` is the first method's expected time divided by this one's; NaN where either is unknown.
    """
    for task, stack in stacks.items():
        times = run_times(stack, TARGETS)
        own = {method: times[:, stack.rows[method]] for method in methods if method in stack.rows}
        reached = {method: np.isfinite(found).sum(axis=1).tolist() for method, found in own.items()}
        expected = {method: _expected(stack, found).tolist() for method, found in own.items()}
        first = expected.get(methods[0], [np.inf] * len(TARGETS))
        for place, target in enumerate(TARGETS):
            for method, found in own.items():
                time, base = expected[method][place], first[place]
                known = time < np.inf
                speed_up = base / time if known and base < np.inf else np.nan
                counts = found.shape[1], reached[method][place]
                yield task, method, target, *counts, time if known else np.nan, speed_up


def _expected(stack: Stack, times: Array) -> Array:
    return expected_time(times, float(stack.task.evaluations))


def profiles(group: Group, stacks: Stacks) -> Iterator[ProfileRow]:
    """Rows of :data:`PROFILE_COLUMNS`: step points, ``share`` holds from ``x`` on; ``n`` is what it is of.

    - ``performance`` (Dolan and Moré 2002): the share of the group's tasks on which a method's expected time
      is at most ``x`` times the best method's.
    - ``data`` (Moré and Wild 2009): the share of (task, seed) that reached the target within ``x`` times
      (parameters + 1) full evaluations.
    """
    if not group.methods or not group.tasks:
        return
    own = [stacks[name] for name in group.tasks]
    times = [run_times(stack, [PROFILED])[0] for stack in own]
    by_method = {
        method: [found[stack.rows[method]] for stack, found in zip(own, times, strict=True)]
        for method in group.methods
    }
    expected = np.array(
        [
            [float(_expected(stack, found)) for stack, found in zip(own, of_method, strict=True)]
            for of_method in by_method.values()
        ]
    ).T
    best = expected.min(axis=1)
    solved = np.isfinite(best)
    ratios = expected[solved] / best[solved, None]
    for place, method in enumerate(group.methods):
        yield from _steps(group.name, method, "performance", ratios[:, place], len(own), 1.0)
        pairs = zip(own, by_method[method], strict=True)
        every = np.concatenate([found / (stack.task.dimension + 1) for stack, found in pairs])
        yield from _steps(group.name, method, "data", every, len(every), 0.0)


def _steps(group: str, method: str, kind: str, values: Array, n: int, first: float) -> Iterator[ProfileRow]:
    places, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if not len(places) or places[0] > first:
        yield group, method, kind, first, 0.0, n
    for x, share in zip(places.tolist(), (np.cumsum(counts) / n).tolist(), strict=True):
        yield group, method, kind, x, share, n
