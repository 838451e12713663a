"""Optuna's samplers, each behind one in-memory study."""

from __future__ import annotations

import logging
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from orchestrator.optimizers.base import Capabilities, Optimizer, library_seed
from orchestrator.optimizers.extras import needs_extra
from orchestrator.optimizers.unfinished import Imputation
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.conversions import suggest, to_params
from workloads.contract import Fidelity, Objective

logging.getLogger("optuna").setLevel(logging.WARNING)

# Optuna knows no forbidden clauses. After this many forbidden suggestions in a row a draw from the prior
# takes over: a model that learns nothing from them, such as the Gaussian process, would never stop.
_MOST_TRIES = 5

_GP_STARTUP = 10
"""How many trials Optuna's Gaussian process draws before it fits a model, by default."""


class OptunaOptimizer(Optimizer):
    """What the samplers share: one study in memory, asked and told.

    Optuna's samplers leave out failed trials, and most leave out pruned ones. So unfinished trials are told
    as complete, with the losses that they count as (:class:`Optimizer`). Only TPE with one objective is told
    that they were pruned: it ranks those itself.

    Args:
        options: keyword arguments of the Optuna sampler; the library's defaults hold for the rest.
    """

    _by_generations = False

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        options["seed"] = library_seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            try:
                sampler = self._sampler(options)
            except ConfigurationError:
                raise
            except (TypeError, ValueError) as error:
                hint = f"it says: {error}"
                raise ConfigurationError("optimizer", "options of Optuna's sampler", options, hint) from error
        self._study = optuna.create_study(directions=["minimize"] * len(self.objectives), sampler=sampler)
        self._trials: dict[int, optuna.Trial] = {}
        self._imputation = Imputation()

    @abstractmethod
    def _sampler(self, options: dict[str, Any]) -> BaseSampler:
        """The library's sampler."""

    def _withdraw(self, trial: Trial) -> None:
        """Fail it, since samplers ignore failed trials and count running ones as bad (a constant liar)."""
        self._study.tell(self._trials[trial.suggestion.token], state=TrialState.FAIL)

    def _learn_late(self, trial: Trial) -> None:
        """Tell a result as a trial of its own, since the library has one for this trial already."""
        self._trials[trial.suggestion.token] = self._given(trial.config)
        self._learn(trial)

    def _observe(self, trial: Trial) -> None:
        self._trials[trial.suggestion.token] = self._given(trial.config)
        self._learn(trial)

    def _given(self, config: Config) -> optuna.Trial:
        """Optuna's trial of a configuration that its sampler did not choose."""
        self._study.enqueue_trial(to_params(config, self.space))
        asked = self._study.ask()
        if self._by_generations:
            # Optuna asks a sampler only for parameters that have no value yet. These samplers then enter the
            # trial in the present generation; without one it would never be a parent.
            asked.relative_params  # noqa: B018
        suggest(asked, self.space)
        return asked

    def _suggest(self, token: int) -> tuple[Config, None]:
        codec = self.space.codec
        for _ in range(_MOST_TRIES):
            trial = self._study.ask()
            config = suggest(trial, self.space)
            if codec.legal(codec.encode([config]))[0]:
                self._trials[token] = trial
                return self.space.check(config), None
            self._study.tell(trial, state=TrialState.FAIL)
        drawn = self.space.sample(1, stream(self.seed, "optuna", token))[0]
        self._trials[token] = self._given(drawn)
        return drawn, None

    def _learn(self, trial: Trial) -> None:
        for known in self._imputation.take(trial):
            self._tell(known)

    def _tell(self, trial: Trial) -> None:
        """Tell the library of a trial whose values are all known."""
        asked = self._constrained(trial)
        self._study.tell(asked, list(trial.losses))

    def _constrained(self, trial: Trial) -> optuna.Trial:
        """The library's trial, with its violations."""
        asked = self._trials.pop(trial.suggestion.token)
        for i, (constraint, violation) in enumerate(zip(self.bounded, trial.violations, strict=True)):
            asked.set_constraint(f"{i}: {constraint.name}", violation)
        return asked


class OptunaTpe(OptunaOptimizer):
    """Tree-structured Parzen estimator (Bergstra et al. 2011; Ozaki et al. 2022 for several objectives).

    With one objective, stopped trials are told as pruned: they rank behind finished ones, the further they
    came the better. Failed ones rank last.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)

    def _sampler(self, options: dict[str, Any]) -> BaseSampler:
        return optuna.samplers.TPESampler(**options)

    def _tell(self, trial: Trial) -> None:
        if trial.status == "finished" or len(self.objectives) > 1:
            super()._tell(trial)
            return
        asked = self._constrained(trial)
        if trial.status == "stopped":
            asked.report(trial.losses[0], step=trial.fidelity or 0)
        self._study.tell(asked, state=TrialState.PRUNED)


class OptunaGp(OptunaOptimizer):
    """Gaussian process with log expected improvement; with several objectives, of the hypervolume.

    A suggestion takes seconds: for budgets of up to a few hundred trials. Conditional parameters are drawn
    at random.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)

    def _sampler(self, options: dict[str, Any]) -> BaseSampler:
        self._startup: int = options.get("n_startup_trials", _GP_STARTUP)
        return optuna.samplers.GPSampler(warn_independent_sampling=False, **options)

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        """Once models are fitted; the next one begins without the fit before, and draws other numbers."""
        del fidelity
        ended = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(ended) < self._startup:
            return False
        self._trials[token] = self._given(config)
        return True


class OptunaNsga2(OptunaOptimizer):
    """NSGA-II (Deb et al. 2002).

    ``population_size`` should be well below the budget: the first population is drawn at random.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)
    _by_generations = True

    def _sampler(self, options: dict[str, Any]) -> BaseSampler:
        return optuna.samplers.NSGAIISampler(**options)


class OptunaNsga3(OptunaOptimizer):
    """NSGA-III (Deb and Jain 2014), for three and more objectives."""

    capabilities = Capabilities(most_objectives=None, constraints=True)
    _by_generations = True

    def _sampler(self, options: dict[str, Any]) -> BaseSampler:
        return optuna.samplers.NSGAIIISampler(**options)


class OptunaCmaEs(OptunaOptimizer):
    """CMA-ES (Hansen), over numbers alone, for one objective. Needs the extra ``cmaes``."""

    capabilities = Capabilities(conditions=False, categories=False)
    _by_generations = True

    def _sampler(self, options: dict[str, Any]) -> BaseSampler:
        with needs_extra("cmaes", "CMA-ES"):
            import cmaes  # noqa: F401 - Optuna imports it at the first suggestion; a study must fail before
        return optuna.samplers.CmaEsSampler(warn_independent_sampling=False, **options)
