"""SMAC3's facades (Lindauer et al. 2022) behind its own ask and tell."""

from __future__ import annotations

import logging
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from smac import (
    BlackBoxFacade,
    HyperbandFacade,
    HyperparameterOptimizationFacade,
    MultiFidelityFacade,
    Scenario,
)
from smac.facade.abstract_facade import AbstractFacade
from smac.main.exceptions import ConfigurationSpaceExhaustedException
from smac.multi_objective.parego import ParEGO
from smac.runhistory import StatusType, TrialInfo, TrialValue

from orchestrator.search.optimizer import Capabilities, Optimizer
from orchestrator.search.optimizers.smac_parts import encoder, maximizer
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from workloads.base import Fidelity, Objective

logging.getLogger("smac").setLevel(logging.ERROR)

# SMAC thins its incumbents out to 10; a Pareto set has as many as it has.
_ALL_INCUMBENTS = 2**31


class SmacOptimizer(Optimizer):
    """What the facades share.

    SMAC is run as its ``optimize`` runs it, with ``deterministic=True`` (one seed per configuration) and these differences:

    * The model sees pending trials as if they had ended with the worst result so far (a constant liar, Ginsbourger
      et al. 2010), where SMAC does not see them at all; and failed trials likewise, where SMAC takes infinity.
    * The start points of the local search come in a fixed order. SMAC puts them in the order of a set of strings, so
      that its results depend on ``PYTHONHASHSEED``: the reason why the same seed gives other results in another process.
    * Nothing is written to disk.

    SMAC's state holds generators that cannot be pickled. A pickled optimizer therefore holds the calls instead and makes
    them again when it is first used: it goes on identically, after as long as SMAC needed for its suggestions so far.

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
        self._n_trials = n_trials
        self._calls: list[int | Trial] = []
        self._start()

    @abstractmethod
    def _facade(self, scenario: Scenario) -> type[AbstractFacade]:
        """The library's facade."""

    def _parts(self, facade: type[AbstractFacade], scenario: Scenario) -> dict[str, Any]:
        """The components of the facade that are not its defaults, by argument name."""
        parts: dict[str, Any] = {"intensifier": facade.get_intensifier(scenario, max_incumbents=_ALL_INCUMBENTS)}
        if scenario.count_objectives() > 1:
            parts["multi_objective_algorithm"] = ParEGO(scenario)
        return parts

    def _suggest(self, token: int) -> tuple[Config, int | None] | None:
        self._replay()
        self._calls.append(token)
        info = self._next()
        if info is None:
            return None
        self._infos[token] = info
        fidelity = None if info.budget is None else round(info.budget)
        return self.space.check(dict(info.config)), fidelity

    def _learn(self, trial: Trial) -> None:
        self._replay()
        self._calls.append(trial)
        self._tell(trial)

    def _start(self) -> None:
        budgets = {}
        if self.fidelity is not None:
            budgets = {"min_budget": self.fidelity.smallest, "max_budget": self.fidelity.largest}
        names = [objective.name for objective in self.objectives]
        scenario = Scenario(
            # A copy: SMAC seeds and draws from the space itself.
            deepcopy(self.space.configuration_space),
            objectives=names if len(names) > 1 else names[0],
            deterministic=True,
            n_trials=self._n_trials,
            seed=self.seed % 2**32,
            # SMAC looks for an earlier run here; it saves only when told to, which it is not.
            output_directory=Path(tempfile.gettempdir()) / "smac-is-not-asked-to-save",
            **budgets,
        )
        facade = self._facade(scenario)
        self._smac = facade(scenario, logging_level=False, overwrite=True, **self._parts(facade, scenario))
        self._encoder = self._smac._runhistory_encoder
        self._infos: dict[int, TrialInfo] = {}

    def _next(self) -> TrialInfo | None:
        if getattr(self._encoder, "lied", False):
            # SMAC trains again only if the number of results has changed; a lie that became a result changes none.
            self._smac.intensifier.config_selector._previous_entries = -1
        try:
            return self._smac.ask()
        except (StopIteration, ConfigurationSpaceExhaustedException, RuntimeError):
            return None
