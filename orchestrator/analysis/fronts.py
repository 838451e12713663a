"""How near methods come to the best known front of a task with several objectives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import moocore
import numpy as np

from orchestrator import pareto
from orchestrator.analysis.courses import Array, Run

FRONT_COLUMNS = ("task", "method", "seeds", "fronts", "igd_plus", "epsilon")

Row = tuple[str, str, int, int, float, float]


def front_rows(runs: Sequence[Run]) -> Iterator[Row]:
    """Rows of :data:`FRONT_COLUMNS`: means over seeds; smaller is better.

    The reference is the non-dominated set of all cells. Objectives are scaled so that it spans [0, 1] in
    each. ``igd_plus`` (Ishibuchi et al. 2015) is the mean distance from a point of the reference to what the
    run dominates, ``epsilon`` (Zitzler et al. 2003) the least shift that makes the run's front weakly
    dominate the reference. Of ``seeds``, only ``fronts`` have found anything; NaN where not all have.
    """
    tasks: dict[str, list[Run]] = {}
    for run in runs:
        if run.course.losses.shape[1] > 1:
            tasks.setdefault(run.course.task.name, []).append(run)
    for task, of_task in tasks.items():
        fronts = [run.course.losses[pareto.nondominated(run.course.losses)] for run in of_task]
        every = np.concatenate(fronts)
        if not len(every):
            continue
        reference = every[pareto.nondominated(every)]
        low, extent = reference.min(axis=0), np.ptp(reference, axis=0)
        scale = np.where(extent > 0, extent, 1.0)
        by_method: dict[str, list[Array]] = {}
        for run, front in zip(of_task, fronts, strict=True):
            by_method.setdefault(run.course.method, []).append((front - low) / scale)
        for method, own in by_method.items():
            found = [front for front in own if len(front)]
            igd, epsilon = _indicators(found, (reference - low) / scale) if len(found) == len(own) else _NAN
            yield task, method, len(own), len(found), igd, epsilon


_NAN = (float("nan"), float("nan"))


def _indicators(fronts: Sequence[Array], reference: Array) -> tuple[float, float]:
    igd = [float(moocore.igd_plus(front, ref=reference)) for front in fronts]
    epsilon = [float(moocore.epsilon_additive(front, ref=reference)) for front in fronts]
    return float(np.mean(igd)), float(np.mean(epsilon))
