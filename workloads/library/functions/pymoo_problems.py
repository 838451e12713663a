"""Multi-objective test problems that pymoo computes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from search_spaces import ConfigurationError, SearchSpace
from search_spaces.extras import needs_extra
from search_spaces.reading import closest, listing
from workloads.contract import Metrics, Objective
from workloads.library.functions.multi_objective import (
    MultiObjectiveFunction,
    Vector,
    as_metrics,
    chosen_dimension,
)

ZDT = ("zdt1", "zdt2", "zdt3", "zdt4", "zdt6")
DTLZ = tuple(f"dtlz{i}" for i in range(1, 8))
WFG = tuple(f"wfg{i}" for i in range(1, 10))
PROBLEMS = (*ZDT, *DTLZ, *WFG)

_IN_PAIRS = ("wfg2", "wfg3")
"""Those whose distance parameters come in pairs."""
_MARGIN = 1.1


class PymooProblem(MultiObjectiveFunction):
    """One of pymoo's problems without constraints: ZDT1-4 and 6, DTLZ1-7, WFG1-9. Deterministic.

    The reference point is a tenth above the largest value that each objective can take by its formula, so
    that every evaluation counts and the point does not depend on what was found: (3.3, 5.5, …) for WFG, for
    DTLZ2 1.1 * (1 + .25 * k) with k = dimension - count + 1.

    Args:
        space: floats called ``x1``, ``x2``, … within the problem's bounds; None: all of them.
        objectives: None: all, with that reference point.
        problem: its name, such as ``wfg4``.
        dimension: number of parameters; None: that of ``space``, or the problem's usual one.
        count: number of objectives; more than 2 for DTLZ and WFG.

    Raises:
        ConfigurationError: an argument is none of these, or pymoo is not installed.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        problem: str = "wfg1",
        dimension: int | None = None,
        count: int = 2,
    ) -> None:
        if problem not in PROBLEMS:
            hint = closest(problem, PROBLEMS)
            raise ConfigurationError("problem", f"one of {listing(PROBLEMS)}", problem, hint)
        if count < 2 or (count > 2 and problem in ZDT):
            expected = f"2, since {problem} has two objectives" if problem in ZDT else "at least 2"
            raise ConfigurationError("count", expected, count)
        positions = _positions(problem, count)
        usual, smallest = positions + _usual_distances(problem), positions + 1 + (problem in _IN_PAIRS)
        dimension = chosen_dimension(space, dimension, usual, smallest)
        if problem in _IN_PAIRS and (dimension - positions) % 2:
            raise ConfigurationError("dimension", f"{positions} and an even number more", dimension)
        self.problem, self.dimension, self.count = problem, dimension, count
        theirs = _problem(problem, dimension, count)
        bounds = [(float(low), float(high)) for low, high in zip(theirs.xl, theirs.xu, strict=True)]
        reference = [_MARGIN * value for value in _largest(problem, dimension, count)]
        super().__init__(space, objectives, bounds, reference)

    def evaluate(self, x: Vector) -> Metrics:
        values = _problem(self.problem, self.dimension, self.count).evaluate(x[None])
        return as_metrics(values.ravel().tolist())


@lru_cache(maxsize=256)
def _problem(problem: str, dimension: int, count: int) -> Any:
    with needs_extra("_target_", "benchmark", "PymooProblem"):
        from pymoo.problems import get_problem
    objectives = {} if problem in ZDT else {"n_obj": count}
    return get_problem(problem, n_var=dimension, **objectives)


def _positions(problem: str, count: int) -> int:
    """Parameters that decide where along the front a point lies; WFG's as Huband et al. (2006) and pymoo."""
    if problem in WFG:
        return 4 if count == 2 else 2 * (count - 1)
    return count - 1


def _usual_distances(problem: str) -> int:
    """How many parameters the authors let decide how far from the front a point lies."""
    if problem in WFG:
        return 20
    if problem in ZDT:
        return 29 if problem in ("zdt1", "zdt2", "zdt3") else 9
    return {"dtlz1": 5, "dtlz7": 20}.get(problem, 10)


def _largest(problem: str, dimension: int, count: int) -> list[float]:
    """Upper bounds of the objectives."""
    if problem in WFG:
        return [2.0 * i + 1 for i in range(1, count + 1)]
    if problem in ZDT:
        return [1.0, 1 + 45.0 * (dimension - 1) if problem == "zdt4" else 10.0]
    if problem == "dtlz7":
        return [1.0] * (count - 1) + [11.0 * count]
    k = dimension - count + 1
    rugged, smooth = 1 + 225.0 * k, 1 + 0.25 * k
    others = {"dtlz1": rugged / 2, "dtlz3": rugged, "dtlz6": 1.0 + k}
    return [others.get(problem, smooth)] * count
