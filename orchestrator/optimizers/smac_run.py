"""Asks one of SMAC's facades for trials, and tells it their results."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from ConfigSpace import Configuration
from joblib import parallel_config
from smac.facade.abstract_facade import AbstractFacade
from smac.runhistory import StatusType, TrialInfo, TrialValue

from orchestrator.optimizers.smac_parts import LOST, REACHED, TirelessSelector
from orchestrator.optimizers.unfinished import finished
from orchestrator.trial import Trial


class SmacRun:
    """A facade, and the trials that it has asked for."""

    def __init__(self, facade: AbstractFacade, selector: TirelessSelector) -> None:
        self._facade, self._selector = facade, selector
        self._infos: dict[int, TrialInfo] = {}
        self._asked = False
        self._early: list[Trial] = []  # observed before SMAC has settled on its seed, with the first question

    @property
    def recalls(self) -> bool:
        """Whether a suggestion takes a model, so that one of an earlier process is better recalled."""
        return self._asked and not self._selector.designing

    @property
    def exhausted(self) -> bool:
        """Whether SMAC has selected every configuration of the space."""
        return self._selector.exhausted

    def recall(self, token: int, config: Mapping[str, Any]) -> bool:
        """Let SMAC suggest ``config`` next, without a model; False where it suggests something else."""
        self._selector.recalled = Configuration(self._facade._scenario.configspace, values=dict(config))
        info = self.ask(token)
        if info is not None and dict(info.config) == dict(config):
            return True
        if info is not None:
            self._forget(self._infos.pop(token))
        return False

    def ask(self, token: int) -> TrialInfo | None:
        """SMAC's next trial; None where it has tried the whole space."""
        if getattr(self._facade._runhistory_encoder, "lied_pending", False):
            # SMAC trains again only if the number of rows has changed, which a lie that became a result
            # leaves as it was.
            self._facade.intensifier.config_selector._previous_entries = -1
        if not self._asked:
            self._selector.shorten_design(len(self._early))
        try:
            # SMAC's forest takes every core for its ten trees, with new threads for each call: these take
            # longer than the trees, and the cores belong to the workers.
            with warnings.catch_warnings(), parallel_config(backend="sequential"):
                warnings.simplefilter("ignore")  # means of empty lists, for its log
                self._infos[token] = self._facade.ask()
        except StopIteration:
            return None
        self._asked = True
        early, self._early = self._early, []
        for trial in early:
            self.tell(trial)
        return self._infos[token]

    def tell(self, trial: Trial) -> None:
        """Hand SMAC a result, with the object that it asked with.

        To SMAC, a trial that did not finish has crashed: it is no incumbent, and is promoted nowhere.
        """
        if trial.status == "lost":
            self._forget(self._infos.pop(trial.suggestion.token))
            return
        if trial.suggestion.token not in self._infos and not self._asked:
            self._early.append(trial)
            return
        success = finished(trial)
        cost: list[float] = list(trial.losses) if success else [math.inf] * len(trial.losses)
        value = TrialValue(
            cost if len(cost) > 1 else cost[0],
            time=trial.seconds,
            status=StatusType.SUCCESS if success else StatusType.CRASHED,
            additional_info={REACHED: trial.losses} if trial.usable and not success else {},
        )
        info = self._infos.pop(trial.suggestion.token, None) or self._info(trial)
        self._facade.tell(info, value, save=False)

    def _info(self, trial: Trial) -> TrialInfo:
        """A trial that SMAC did not ask for."""
        scenario, fidelity = self._facade._scenario, trial.suggestion.fidelity
        config = Configuration(scenario.configspace, values=dict(trial.config))
        self._selector.known.append(config)
        budget = None if fidelity is None else float(fidelity)
        (key,) = self._facade.intensifier.get_instance_seed_keys_of_interest()
        return TrialInfo(config, seed=key.seed, budget=budget)

    def _forget(self, info: TrialInfo) -> None:
        """To SMAC the trial has crashed, so nothing waits for it; its model does not see it."""
        count = self._facade._scenario.count_objectives()
        cost = [math.inf] * count if count > 1 else math.inf
        value = TrialValue(cost, status=StatusType.CRASHED, additional_info={LOST: True})
        self._facade.tell(info, value, save=False)
