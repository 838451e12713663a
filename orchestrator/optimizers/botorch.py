"""Multi-objective Bayesian optimisation with BoTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.extras import needs_extra
from orchestrator.optimizers.sobol import SobolPoints
from orchestrator.optimizers.unfinished import Worst, finished
from orchestrator.pareto import reference_point
from orchestrator.randomness import derived_seed
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from workloads.contract import Fidelity, Objective

if TYPE_CHECKING:
    from orchestrator.optimizers.botorch_model import Observations


_EFFORT = {"restarts": 4, "raw_samples": 256, "mc_samples": 128, "fit_steps": 100}


class BotorchOptimizer(Optimizer):
    """What the acquisition functions share: a Sobol design, then a model fitted anew for every suggestion.

    The model is a Gaussian process on the unit cube, with a Hamming kernel for categorical parameters.
    Pending trials are ``X_pending``. Needs the extra ``botorch``.

    Args:
        initial: trials of the Sobol design; None: twice the number of parameters plus two.
        effort: ``restarts`` of the acquisition function's maximisation (4), the ``raw_samples`` that they are
            chosen from (256), quasi-Monte Carlo samples of the posterior, ``mc_samples`` (128), and the most
            steps of L-BFGS-B that the model is fitted with, ``fit_steps`` (100).
    """

    capabilities = Capabilities(fewest_objectives=2, most_objectives=None, constraints=True, conditions=False)
    recalls_exactly = True
    acquisition: ClassVar[Literal["nehvi", "parego"]]

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
        super().__init__(space, objectives, seed, fidelity, constraints)
        self._initial = 2 * (space.codec.dim + 1) if initial is None else initial
        self._effort = {**_EFFORT, **effort}
        for name, value in {"initial": self._initial, **self._effort}.items():
            if name not in ("initial", *_EFFORT):
                raise ConfigurationError(f"optimizer.{name}", f"one of {', '.join(_EFFORT)}", value)
            if value < 1:
                raise ConfigurationError(f"optimizer.{name}", "at least 1", value)
        self._design = SobolPoints(space, seed)
        self._told: list[Trial] = []
        with needs_extra("botorch", type(self).__name__):
            import orchestrator.optimizers.botorch_model  # noqa: F401 - fail now, not at the first model

    def _suggest(self, token: int) -> tuple[Config, None]:
        codec = self.space.codec
        if self._designs:
            return codec.decode(self._design.draw())[0], None
        from orchestrator.optimizers.botorch_model import candidate

        units = candidate(
            self._observations(), self.acquisition, derived_seed(self.seed, "botorch", token), self._effort
        )
        return codec.decode(units)[0], None

    @property
    def _designs(self) -> bool:
        """Whether the next suggestion comes from the design; observed results spare a part of it."""
        known = len(self._told) + len(self._pending)
        return known < self._initial or not any(map(finished, self._told))

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        """Each suggestion has a new model, so that nothing of the one before is missing."""
        del token, config, fidelity
        return not self._designs

    def _learn(self, trial: Trial) -> None:
        self._told.append(trial)

    def _observations(self) -> Observations:
        from orchestrator.optimizers.botorch_model import Observations

        worst = Worst.of(self._told)
        assert worst is not None
        known = [worst.imputed(trial) for trial in self._told]
        losses = np.array([trial.losses for trial in known])
        violations = np.array([trial.violations for trial in known]).reshape(len(known), len(self.bounded))
        reference = reference_point(self.objectives, losses, violations)
        if not np.isfinite(reference).all():  # nothing is feasible yet
            reference = reference_point(self.objectives, losses)
        codec = self.space.codec
        return Observations(
            self.space,
            units=codec.encode([trial.config for trial in self._told]),
            losses=losses,
            violations=violations,
            pending=codec.encode([suggestion.config for suggestion in self.pending]),
            reference=reference,
        )


class BotorchNehvi(BotorchOptimizer):
    """qLogNEHVI: log noisy expected hypervolume improvement (Daulton et al. 2021, Ament et al. 2023)."""

    acquisition = "nehvi"


class BotorchParego(BotorchOptimizer):
    """qLogNParEGO: log noisy expected improvement of a Chebyshev scalarisation, drawn anew every time."""

    acquisition = "parego"
