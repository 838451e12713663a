"""Trust-region Bayesian optimisation with BoTorch: TuRBO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from orchestrator.optimizers.base import Capabilities
from orchestrator.optimizers.botorch import BotorchModelled
from orchestrator.optimizers.score import score
from orchestrator.optimizers.trust_region import TrustRegion, patience
from orchestrator.trial import Trial
from search_spaces import Config, SearchSpace
from search_spaces.columns import Floats
from workloads.contract import Fidelity, Objective

if TYPE_CHECKING:
    from orchestrator.optimizers.botorch_model import Surrogate


class BotorchTurbo(BotorchModelled):
    """TuRBO-1 (Eriksson et al. 2019), for many parameters and hundreds of trials.

    After a Sobol design, suggestions come from a box around the best result, whose sides are scaled to the
    model's length scales: it grows while they improve on that and shrinks while they do not. Once it is too
    small, the search begins anew with another design and forgets what it knew. Candidates differ from the
    best point in about 20 parameters; one is chosen by a draw from the model (Thompson sampling). With
    constraints it is SCBO (Eriksson and Poloczek 2021).

    Here each result counts by itself, whereas the paper counts batches; and a parameter of choices that is
    changed takes any of them.

    Args:
        initial: trials of each Sobol design; None: twice the number of parameters plus two.
        effort: the ``candidates`` of a draw (2,000), and the most steps of L-BFGS-B that the model is fitted
            with, ``fit_steps`` (400).
    """

    capabilities = Capabilities(constraints=True, conditions=False)
    efforts: ClassVar[dict[str, int]] = {"candidates": 2000, "fit_steps": 400}

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        initial: int | None = None,
        **effort: int,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints, initial=initial, **effort)
        self._region: TrustRegion | None = None
        self._inside: set[int] = set()

    def _suggest(self, token: int) -> tuple[Config, None]:
        designs = self._designs
        suggestion = super()._suggest(token)
        if not designs:
            self._inside.add(token)
        return suggestion

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        if not super()._recall(token, config, fidelity):
            return False
        self._inside.add(token)
        self._entered()
        return True

    def _learn(self, trial: Trial) -> None:
        super()._learn(trial)
        if trial.suggestion.token not in self._inside:
            return
        self._inside.discard(trial.suggestion.token)
        region = self._entered()
        self._region = region.after(score(trial))
        if self._region.exhausted:
            self._begin_anew()

    def _withdraw(self, trial: Trial) -> None:
        self._inside.discard(trial.suggestion.token)

    def _begin_anew(self) -> None:
        """Forget the results. Those of pending suggestions are taken for a part of the new design."""
        self._told, self._learnt, self._region = [], None, None
        self._inside.clear()

    @property
    def _best(self) -> Trial:
        return min(self._told, key=score)

    def _entered(self) -> TrustRegion:
        """The present region; a new one begins around the best result of its design."""
        if self._region is None:
            self._region = TrustRegion(score(self._best), patience(self.space.codec.dim))
        return self._region

    def _point(self, learnt: Surrogate, pending: Floats, seed: int) -> Floats:
        from orchestrator.optimizers.botorch_sampling import thompson

        center = self.space.codec.encode([self._best.config])
        return thompson(learnt, center, self._entered().length, pending, seed, self._effort["candidates"])
