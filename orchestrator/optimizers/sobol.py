"""Quasi-random search with a Sobol sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import qmc

from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, SearchSpace
from search_spaces.columns import Floats
from workloads.contract import Fidelity, Objective


class SobolSearch(Optimizer):
    """The scrambled Sobol sequence of scipy, over the unit cube of the space: even cover, not the priors.

    A point that a forbidden clause excludes is skipped. An inactive parameter's coordinate goes unused.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        self._points = SobolPoints(space, seed)

    def _suggest(self, token: int) -> tuple[Config, None]:
        del token  # the sequence counts for itself
        return self.space.codec.decode(self._points.draw())[0], None

    def _learn(self, trial: Trial) -> None:
        """Learns nothing."""


class SobolPoints:
    """Allowed points of a space in the order of a scrambled Sobol sequence."""

    # If the clauses leave less than about one point in this many, a draw from the prior takes over.
    _MOST_SKIPS = 1000

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space, self._seed = space, seed
        self._sequence = qmc.Sobol(space.codec.dim, scramble=True, rng=np.random.default_rng(seed))

    def draw(self) -> Floats:
        """The next point as coordinates, shape ``(1, dim)``, NaN where inactive."""
        codec, unused = self._space.codec, stream(self._seed, "sobol")
        for _ in range(self._MOST_SKIPS):
            units = codec.repair(self._sequence.random(1), unused)
            if codec.legal(units)[0]:
                return units
        return self._space.sample_units(1, stream(self._seed, "sobol", self._sequence.num_generated))
