"""Meta-learned search: a network that learned from other tasks says where improvements are to be expected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities
from orchestrator.optimizers.designed import Designed
from orchestrator.optimizers.meta.candidates import anywhere, near
from orchestrator.optimizers.unfinished import Worst
from orchestrator.optimizers.untried import untried
from orchestrator.randomness import stream
from search_spaces import Config, SearchSpace
from search_spaces.columns import Floats
from search_spaces.values import config_key
from workloads.contract import Fidelity, Objective

_ROUNDS, _NEXT = 2, 128
"""How often the candidates near the best ones are looked at again, and how many."""
_BEST = 5


class MetaLearned(Designed):
    """Expected improvement under a transformer neural process, trained once on families of tasks.

    After a Sobol design, the network reads all results in one pass and predicts a distribution of the loss
    at candidates: draws from the space's priors, configurations near the five best results, and then two
    rounds near the candidates that look best. Nothing is fitted to the study.

    NAP (Maraval et al. 2023) trains such a network by reinforcement learning to choose among the candidates
    itself; ours learns to predict only and chooses by expected improvement, as PFNs4BO does (Müller et al.
    2023). How the network differs from both says :class:`.NeuralProcess`; what it was trained on,
    :mod:`.families`.

    Args:
        initial: trials of the Sobol design.
        candidates: that are looked at first; half of them are draws, the others near the best results.
    """

    capabilities = Capabilities()

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        initial: int = 5,
        candidates: int = 512,
    ) -> None:
        at_least(2, initial=initial, candidates=candidates)
        super().__init__(space, objectives, seed, fidelity, constraints, initial)
        self._candidates = candidates
        self._categorical = np.array([column.kind == "categorical" for column in space.codec.columns])

    def _suggest(self, token: int) -> tuple[Config, None]:
        codec = self.space.codec
        if self._designs:
            return codec.decode(self._design.draw())[0], None
        rng = stream(self.seed, "meta", token)
        units, improvements = self._compared(rng)
        pending = [suggestion.config for suggestion in self.pending]
        tried = [*(trial.config for trial in self._told), *pending]
        known = {config_key(config) for config in tried}
        order = np.argsort(-improvements, kind="stable")
        _, first = np.unique(np.nan_to_num(units[order], nan=-1.0), axis=0, return_index=True)
        for row in order[np.sort(first)]:
            (config,) = codec.decode(units[[row]])
            if config_key(config) not in known:
                return config, None
        return untried(self.space, tried, rng) or codec.decode(units[order[:1]])[0], None

    def _compared(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Candidates, and by how much each is expected to improve on the best result."""
        from orchestrator.optimizers.meta.surrogate import Evidence
        from orchestrator.optimizers.meta.weights import shipped

        network, worst = shipped(), Worst.of(self._told)
        assert worst is not None
        losses = np.array([worst.imputed(trial).losses[0] for trial in self._told])
        results = self.space.codec.encode([trial.config for trial in self._told])
        evidence = Evidence.of(results, losses, self._categorical)
        evidence = evidence.believing(network, self.space.codec.encode([one.config for one in self.pending]))
        half = self._candidates // 2
        good = results[np.argsort(losses, kind="stable")[:_BEST]]
        units = np.concatenate([anywhere(self.space, half, rng), near(self.space, good, half, rng)])
        improvements = evidence.improvement(network, units)
        for _ in range(_ROUNDS):
            best = units[np.argsort(-improvements, kind="stable")[:_BEST]]
            more = near(self.space, best, _NEXT, rng)
            if len(more):
                units = np.concatenate([units, more])
                improvements = np.concatenate([improvements, evidence.improvement(network, more)])
        return units, improvements
