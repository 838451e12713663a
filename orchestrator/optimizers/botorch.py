"""Bayesian optimisation with BoTorch: what its optimizers share, and those of several objectives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities
from orchestrator.optimizers.designed import Designed
from orchestrator.optimizers.extras import needs_extra
from orchestrator.optimizers.unfinished import Worst, finished
from orchestrator.pareto import reference_point
from orchestrator.randomness import derived_seed
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.columns import Floats
from workloads.contract import Fidelity, Objective

if TYPE_CHECKING:
    from orchestrator.optimizers.botorch_acquisition import Acquisition
    from orchestrator.optimizers.botorch_model import ModelKind, Observations, Surrogate


class BotorchModelled(Designed):
    """A Sobol design, then suggestions of a model that is fitted anew after every result.

    The model is a Gaussian process on the unit cube. Suggestions between two results share it. Needs the
    extra ``botorch``.

    Args:
        initial: trials of the Sobol design; None: twice the number of parameters plus two.
        effort: how much is computed for a suggestion, by the names of ``efforts``.
    """

    kind: ClassVar[ModelKind] = "plain"
    efforts: ClassVar[dict[str, int]]
    """Names and defaults of ``effort``; ``fit_steps`` is among them."""

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
        first = 2 * (space.codec.dim + 1) if initial is None else initial
        super().__init__(space, objectives, seed, fidelity, constraints, first)
        self._effort = {**self.efforts, **effort}
        for name, value in {"initial": self._initial, **self._effort}.items():
            if name not in ("initial", *self.efforts):
                raise ConfigurationError(f"optimizer.{name}", f"one of {', '.join(self.efforts)}", value)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigurationError(f"optimizer.{name}", "an integer", value)
            at_least(1, **{name: value})
        self._learnt: tuple[int, Surrogate] | None = None
        with needs_extra("botorch", type(self).__name__):
            import orchestrator.optimizers.botorch_acquisition  # noqa: F401 - fail now, not at the first model

    @abstractmethod
    def _point(self, learnt: Surrogate, pending: Floats, seed: int) -> Floats:
        """The point to suggest, shape ``(1, dim)`` in the unit cube; an allowed one."""

    def _suggest(self, token: int) -> tuple[Config, None]:
        codec = self.space.codec
        if self._designs:
            return codec.decode(self._design.draw())[0], None
        pending = codec.encode([suggestion.config for suggestion in self.pending])
        seed = derived_seed(self.seed, "botorch", token)
        return codec.decode(self._point(self._surrogate(), pending, seed))[0], None

    @property
    def _timed(self) -> bool:
        """Whether the training time is modelled, too."""
        return False

    def _surrogate(self) -> Surrogate:
        from orchestrator.optimizers.botorch_model import surrogate

        told = len(self._told)
        if self._learnt is None or self._learnt[0] != told:
            seed = derived_seed(self.seed, "botorch model", told)
            steps = self._effort["fit_steps"]
            known = self._observations(self._told)
            self._learnt = told, surrogate(known, seed, steps, kind=self.kind, timed=self._timed)
        return self._learnt[1]

    def _observations(self, told: Sequence[Trial]) -> Observations:
        from orchestrator.optimizers.botorch_model import Observations

        worst = Worst.of(told)
        assert worst is not None
        known = [worst.imputed(trial) for trial in told]
        return Observations(
            self.space,
            units=self.space.codec.encode([trial.config for trial in told]),
            losses=np.array([trial.losses for trial in known]),
            violations=np.array([trial.violations for trial in known]).reshape(len(known), len(self.bounded)),
            seconds=np.array([trial.seconds if finished(trial) else np.nan for trial in told]),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_learnt": None}


class BotorchOptimizer(BotorchModelled):
    """What maximises an acquisition function. Categorical parameters have a Hamming kernel.

    Pending trials are ``X_pending``.

    Where the space has priors, they weigh the acquisition function, less and less: with n results since the
    design, it is multiplied by the prior density to the power of ``prior_strength / n`` (piBO, Hvarfner et
    al. 2022, which recommends a tenth of the trials; unlike there, the design does not follow the priors).

    ``per_second`` divides the acquisition function by the training time that a second process expects (Snoek
    et al. 2012): the improvement per second. Only finished trials tell it their time.

    Args:
        initial: trials of the Sobol design; None: twice the number of parameters plus two.
        prior_strength: how much the space's priors weigh; 0: not at all.
        per_second: whether short trainings are preferred.
        effort: ``restarts`` of the acquisition function's maximisation (4), the ``raw_samples`` that they are
            chosen from (256), quasi-Monte Carlo samples of the posterior, ``mc_samples`` (128), and the most
            steps of L-BFGS-B that the model is fitted with, ``fit_steps`` (400; with sparse models more of
            all).
    """

    acquisition: ClassVar[Acquisition]
    efforts: ClassVar[dict[str, int]] = {
        "restarts": 4,
        "raw_samples": 256,
        "mc_samples": 128,
        "fit_steps": 400,
    }

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        initial: int | None = None,
        prior_strength: float = 10.0,
        per_second: bool = False,
        **effort: int,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints, initial=initial, **effort)
        if not 0 <= prior_strength < np.inf:
            raise ConfigurationError("optimizer.prior_strength", "a number from 0 on", prior_strength)
        self._prior_strength, self._per_second = prior_strength, per_second

    @property
    def _timed(self) -> bool:
        return self._per_second

    def _point(self, learnt: Surrogate, pending: Floats, seed: int) -> Floats:
        from orchestrator.optimizers.botorch_acquisition import candidate

        return candidate(
            learnt,
            pending,
            self.acquisition,
            seed,
            self._effort,
            reference=self._reference(learnt.known) if self.acquisition == "nehvi" else None,
            prior_exponent=self._prior_strength / max(1, len(self._told) - self._initial + 1),
        )

    def _reference(self, known: Observations) -> Floats:
        reference = reference_point(self.objectives, known.losses, known.violations)
        if np.isfinite(reference).all():
            return reference
        return reference_point(self.objectives, known.losses)  # nothing is feasible yet


class BotorchNehvi(BotorchOptimizer):
    """qLogNEHVI: log noisy expected hypervolume improvement (Daulton et al. 2021, Ament et al. 2023)."""

    capabilities = Capabilities(fewest_objectives=2, most_objectives=None, constraints=True, conditions=False)
    acquisition = "nehvi"


class BotorchParego(BotorchOptimizer):
    """qLogNParEGO: log noisy expected improvement of a Chebyshev scalarisation, drawn anew every time."""

    capabilities = Capabilities(fewest_objectives=2, most_objectives=None, constraints=True, conditions=False)
    acquisition = "parego"
