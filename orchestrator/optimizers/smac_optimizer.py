"""SMAC3 (Lindauer et al. 2022) behind its own ask and tell: what its facades share."""

from __future__ import annotations

import logging
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ConfigSpace import Configuration, ConfigurationSpace
from smac import BlackBoxFacade, HyperbandFacade, Scenario
from smac.facade.abstract_facade import AbstractFacade
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.multi_objective.parego import ParEGO

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import library_seed
from orchestrator.optimizers.replayed import Recalled, ReplayedOptimizer
from orchestrator.optimizers.smac_parts import (
    TirelessSelector,
    lean_model,
    lying_encoder,
    many_objective_intensifier,
    ordered_maximizer,
)
from orchestrator.optimizers.smac_run import SmacRun
from orchestrator.optimizers.untried import untried
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, SearchSpace
from workloads.contract import Fidelity, Objective

logging.getLogger("smac").setLevel(logging.ERROR)

_MOST_TRIES = 16
"""After how many tries SMAC's intensifiers give up by default."""


class SmacOptimizer(ReplayedOptimizer[SmacRun]):
    """What the facades share.

    SMAC runs with ``deterministic=True`` (one seed per configuration) and with these differences from its
    defaults:

    * Its model sees pending trials as if they had ended with the worst result so far (a constant liar,
      Ginsbourger et al. 2010); SMAC's does not see them. It counts trials that did not finish as every
      optimizer does (:class:`Optimizer`); SMAC takes infinity.
    * Its local search starts from the same points in a fixed order. SMAC's order is that of a set of
      strings, so the same seed gives different results in another process unless ``PYTHONHASHSEED`` is fixed.
    * If it has found no new configuration in 16 tries, it goes on with a random one that it has not selected
      yet, and stops if there is none.
    * Hyperband's rungs are counted in whole numbers: logarithms lost the smallest of 1 to 243.
    * Nothing is written to disk.

    SMAC keeps generators, which cannot be pickled. A pickled optimizer therefore holds the calls made so
    far and replays them when it is first used: it goes on identically, once SMAC has repeated its work.

    Args:
        n_trials: how many trials the study will have; at most a quarter of them are the initial design.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        n_trials: int = 100,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        at_least(1, n_trials=n_trials)
        self._n_trials = n_trials
        self._begin()

    _repeats = 0

    @abstractmethod
    def _facade(self) -> Any:
        """The library's facade."""

    def _suggest(self, token: int) -> tuple[Config, int | None] | None:
        info = self._running().ask(token)
        self._calls.append(token)
        if info is None:
            return None
        return self.space.check(dict(info.config)), None if info.budget is None else round(info.budget)

    @property
    def why_none(self) -> str:
        if self._running().exhausted:
            return ""
        return f"SMAC found no new configuration in {_MOST_TRIES} tries"

    def _replay_recall(self, run: SmacRun, call: Recalled) -> bool:
        return run.recall(call.token, call.config)

    def _recall(self, token: int, config: Config, fidelity: int | None) -> bool:
        """Where a Gaussian process is fitted; the next one searches with other random numbers."""
        if self._facade() is not BlackBoxFacade or fidelity is not None or not self._running().recalls:
            return False
        call = Recalled(token, config)
        self._calls.append(call)
        return self._replay_recall(self._running(), call)

    def _withdraw(self, trial: Trial) -> None:
        self._running().tell(trial)
        self._calls.append(trial)

    def _learn_late(self, trial: Trial) -> None:
        """SMAC keeps what it was told first."""

    def _start(self) -> SmacRun:
        facade = self._facade()
        # SMAC writes its settings when it is made. It would also write results, which save=False prevents.
        with tempfile.TemporaryDirectory(prefix="smac") as folder:
            scenario = self._scenario(folder)
            parts = self._parts(facade, scenario)
            return SmacRun(facade(scenario, logging_level=False, **parts), parts["config_selector"])

    def _parts(self, facade: type[AbstractFacade], scenario: Scenario) -> dict[str, Any]:
        """The components that are not the facade's defaults, by argument name."""
        parts: dict[str, Any] = {}
        if facade is not HyperbandFacade:  # which has no model
            parts["model"] = lean_model(facade, scenario)
            parts["runhistory_encoder"] = lying_encoder(facade, scenario)
            parts["acquisition_maximizer"] = ordered_maximizer(facade, scenario)
        if scenario.count_objectives() > 1:
            parts["multi_objective_algorithm"] = ParEGO(scenario)  # SMAC's default is the objectives' mean
            parts["intensifier"] = self._intensifier(facade, scenario)
        own = facade.get_config_selector(scenario)
        parts["config_selector"] = TirelessSelector(
            scenario, own, partial(self._another, scenario), self._repeats
        )
        return parts

    def _intensifier(self, facade: type[AbstractFacade], scenario: Scenario) -> AbstractIntensifier:
        """For several objectives."""
        return many_objective_intensifier(facade, scenario)

    def _another(self, scenario: Scenario, selected: Sequence[Configuration]) -> Configuration | None:
        """A random configuration that SMAC has not selected yet."""
        tried = [self.space.check(dict(config)) for config in selected]
        config = untried(self.space, tried, stream(self.seed, "smac", len(selected)))
        return None if config is None else Configuration(scenario.configspace, values=dict(config))

    def _scenario(self, folder: str) -> Scenario:
        names = [objective.name for objective in self.objectives]
        budgets = (self.fidelity.smallest, self.fidelity.largest) if self.fidelity else (None, None)
        return Scenario(
            # SMAC seeds the space and draws from it. Not a plain copy: some parameters of a pickled space
            # are not equal to their own copies, and SMAC would take the same configuration for two.
            ConfigurationSpace.from_serialized_dict(self.space.configuration_space.to_serialized_dict()),
            output_directory=Path(folder),
            deterministic=True,
            objectives=names if len(names) > 1 else names[0],
            n_trials=self._n_trials,
            min_budget=budgets[0],
            max_budget=budgets[1],
            seed=library_seed(self.seed),
        )
