"""Random search."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, SearchSpace
from workloads.contract import Fidelity, Objective

# Drawing this many at once takes about three times as long as drawing one.
_BLOCK = 64


class RandomSearch(Optimizer):
    """Independent draws from the space's priors.

    The draw for a suggestion depends on the seed and the suggestion's number alone.
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
        self._block = -1
        self._draws: list[Config] = []

    def _suggest(self, token: int) -> tuple[Config, None]:
        block, place = divmod(token, _BLOCK)
        if block != self._block:
            self._draws = self.space.sample(_BLOCK, stream(self.seed, "random search", block))
            self._block = block
        return self._draws[place], None

    def _learn(self, trial: Trial) -> None:
        """Learns nothing."""
