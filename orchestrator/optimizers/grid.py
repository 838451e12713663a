"""Grid search."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.columns import Column, Floats
from search_spaces.values import config_key
from workloads.contract import Fidelity, Objective

_LARGEST = 200_000


class GridSearch(Optimizer):
    """Every point of a grid once, in random order, so that a part of it covers the space, too.

    A parameter with few values has all of them on the grid; a number has ``points`` values that are evenly
    spaced on its scale, bounds included. Points that differ in inactive parameters alone are one, and
    forbidden ones are left out, as are those that were observed.

    Args:
        points: values of each number, at least 2.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)
    why_none = "the grid has no more points"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        points: int = 5,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        at_least(2, points=points)
        self._values = [_units(column, points) for column in space.codec.columns]
        self._size = math.prod(map(len, self._values))
        if self._size > _LARGEST:
            hint = f"{points} values of {len(self._values)} parameters make {self._size}"
            raise ConfigurationError("optimizer.points", f"a grid of at most {_LARGEST} points", points, hint)
        self._order = stream(self.seed, "grid").permutation(self._size)
        self._next, self._tried = 0, set[str]()

    def remark(self, trials: int) -> str:
        if trials >= self._size:
            return ""
        return f"search.trials={trials} are a part of the grid, which has up to {self._size} points"

    def _suggest(self, token: int) -> tuple[Config, None] | None:
        del token  # the grid counts for itself
        while self._next < self._size:
            config = self._point(int(self._order[self._next]))
            self._next += 1
            if config is not None and (key := config_key(config)) not in self._tried:
                self._tried.add(key)
                return config, None
        return None

    def _point(self, number: int) -> Config | None:
        """A point of the grid; None where it is forbidden."""
        places = np.unravel_index(number, [len(values) for values in self._values])
        units = [values[place] for values, place in zip(self._values, places, strict=True)]
        codec = self.space.codec
        rows = codec.repair([units], stream(self.seed, "unused"))
        return codec.decode(rows)[0] if codec.legal(rows)[0] else None

    def _learn(self, trial: Trial) -> None:
        """Learns nothing."""

    def _observe(self, trial: Trial) -> None:
        self._tried.add(config_key(trial.config))


def _units(column: Column, points: int) -> Floats:
    """A parameter's values on the grid, as coordinates."""
    if column.kind == "float":
        return np.linspace(0.0, 1.0, points)
    count = column.size or int(column.high - column.low) + 1
    values = column.low + np.arange(count)
    if column.kind == "int" and count > points:
        values = np.unique(column.from_units(np.linspace(0.0, 1.0, points)))
    return np.asarray(column.to_units(np.asarray(values, dtype=float)))
