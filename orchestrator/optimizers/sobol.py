"""Quasi-random search with a Sobol sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc

from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.fixed import fixed_units, fixed_values
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, SearchSpace
from search_spaces.columns import Floats
from workloads.contract import Fidelity, Objective


class SobolSearch(Optimizer):
    """The scrambled Sobol sequence of scipy, over the unit cube of the space: even cover, not the priors.

    A point that a forbidden clause excludes is skipped. An inactive parameter's coordinate goes unused.

    Args:
        fixed: values that some parameters have in every suggestion; only that part of the space is searched.

    Raises:
        ConfigurationError: ``fixed`` does not fit the space.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        self._points = SobolPoints(space, seed, fixed_units(space, fixed_values(space, fixed or {})))

    def _suggest(self, token: int) -> tuple[Config, None]:
        del token  # the sequence counts for itself
        return self.space.codec.decode(self._points.draw())[0], None

    def _learn(self, trial: Trial) -> None:
        """Learns nothing."""


class SobolPoints:
    """Allowed points of a space in the order of a scrambled Sobol sequence.

    Args:
        space: the space.
        seed: of the scrambling.
        fixed: coordinates that all points share, ``(dim,)``, NaN for the others; None: none.
    """

    # If the clauses leave less than about one point in this many, a draw from the prior takes over.
    _MOST_SKIPS = 1000

    def __init__(self, space: SearchSpace, seed: int, fixed: Floats | None = None) -> None:
        self._space, self._seed = space, seed
        self._fixed = np.full(space.codec.dim, np.nan) if fixed is None else fixed
        self._sequence = qmc.Sobol(space.codec.dim, scramble=True, rng=np.random.default_rng(seed))

    def draw(self) -> Floats:
        """The next point as coordinates, shape ``(1, dim)``, NaN where inactive."""
        codec, unused = self._space.codec, stream(self._seed, "sobol")
        for _ in range(self._MOST_SKIPS):
            units = codec.repair(self._held(self._sequence.random(1)), unused)
            if codec.legal(units)[0]:
                return units
        rng = stream(self._seed, "sobol", self._sequence.num_generated)
        return codec.repair(self._held(self._space.sample_units(1, rng)), unused)

    def _held(self, units: Floats) -> Floats:
        return np.where(np.isnan(self._fixed), units, self._fixed)
