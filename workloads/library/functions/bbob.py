"""The 24 noiseless functions of BBOB (Hansen, Finck, Ros and Auger 2009), as ioh computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from search_spaces import ConfigurationError, SearchSpace
from search_spaces.extras import needs_extra
from workloads.capabilities import Facts
from workloads.contract import Metrics, Objective
from workloads.library.functions.box import BoxFunction

FUNCTIONS = range(1, 25)
DIMENSIONS = range(2, 41)
_BOUND = 5.0


class Bbob(BoxFunction):
    """One function of BBOB, over numbers in [-5, 5]. Deterministic; its optimum is known.

    Metrics: ``f``, the function's value, the objective, smaller is better.

    Args:
        space: floats called ``x1``, ``x2``, … within [-5, 5]; None: all of it.
        objectives: None: minimise ``f``.
        function: 1 (sphere) to 24 (Lunacek's double Rastrigin).
        dimension: number of parameters, 2 to 40.
        instance: which shift and rotation of the function, from 0 on; published studies use 1 to 15, and
            carps' own tasks 0.

    Raises:
        ConfigurationError: an argument is out of its range, or ioh is not installed.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        function: int = 1,
        dimension: int = 2,
        instance: int = 1,
    ) -> None:
        if function not in FUNCTIONS:
            raise ConfigurationError("function", "a function from 1 to 24", function)
        if dimension not in DIMENSIONS:
            raise ConfigurationError("dimension", "from 2 to 40 parameters", dimension)
        if instance < 0:
            raise ConfigurationError("instance", "an instance from 0 on", instance)
        super().__init__(space, objectives, [(-_BOUND, _BOUND)] * dimension, [Objective("f")])
        self.function, self.dimension, self.instance = function, dimension, instance
        self._optimum = float(_problem(function, dimension, instance).optimum.y)

    @property
    def facts(self) -> Facts:
        return Facts(optimum=self._optimum, deterministic=True)

    def metrics(self, x: list[float], fidelity: int, seed: int) -> Metrics:
        del fidelity, seed
        evaluate: Callable[[list[float]], float] = _problem(self.function, self.dimension, self.instance)
        return {"f": evaluate(x)}


@lru_cache(maxsize=256)
def _problem(function: int, dimension: int, instance: int) -> Any:
    """ioh's problem. It cannot be pickled, so that every process makes its own, once."""
    with needs_extra("_target_", "benchmark", "Bbob"):
        import ioh
    problem_class = ioh.ProblemClass.BBOB
    return ioh.get_problem(function, instance=instance, dimension=dimension, problem_class=problem_class)
