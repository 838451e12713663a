"""Random search."""

from __future__ import annotations

from orchestrator.randomness import stream
from orchestrator.search.optimizer import Capabilities, Optimizer
from orchestrator.trial import Trial
from search_spaces import Config


class RandomSearch(Optimizer):
    """Independent draws from the space's priors.

    The draw for a suggestion depends on the seed and the suggestion's number alone.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)

    def _suggest(self, token: int) -> tuple[Config, None]:
        return self.space.sample(1, stream(self.seed, "random search", token))[0], None

    def _learn(self, trial: Trial) -> None:
        """Nothing is learnt."""
