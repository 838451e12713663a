"""Optimizers that begin with a design and then follow a model of the results."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.sobol import SobolPoints
from orchestrator.optimizers.unfinished import finished
from orchestrator.trial import Trial
from search_spaces import Config, SearchSpace
from workloads.contract import Fidelity, Objective


class Designed(Optimizer):
    """A Sobol design, then suggestions that depend on the results alone, and not on those before.

    Args:
        initial: trials of the design.
    """

    recalls_exactly = True

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None,
        constraints: Sequence[Objective],
        initial: int,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        self._initial = initial
        self._design = SobolPoints(space, seed)
        self._told: list[Trial] = []

    @property
    def _designs(self) -> bool:
        """Whether the next suggestion comes from the design; observed results spare a part of it."""
        known = len(self._told) + len(self._pending)
        return known < self._initial or not any(map(finished, self._told))

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        """A model sees the results alone, so that nothing of the suggestion before is missing."""
        del token, config, fidelity
        return not self._designs

    def _learn(self, trial: Trial) -> None:
        self._told.append(trial)
