"""Two components of SMAC3, mended: a model that sees pending trials, and a search that can be repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from ConfigSpace import Configuration
from smac import HyperbandFacade, MultiFidelityFacade, Scenario
from smac.acquisition.maximizer import LocalAndSortedRandomSearch, LocalSearch
from smac.facade.abstract_facade import AbstractFacade
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.intensifier.hyperband import Hyperband
from smac.runhistory import StatusType, TrialKey, TrialValue
from smac.runhistory.encoder import RunHistoryEncoder, RunHistoryLogScaledEncoder

_ALL_INCUMBENTS = 2**31

LOST = "lost"
"""Marks a lost trial, which says nothing, among what SMAC keeps of it besides."""
REACHED = "reached"
"""The last losses of a trial that was stopped, among what SMAC keeps of it besides."""


class _WithLies(RunHistoryEncoder):
    """Training data in which pending and failed trials have the worst result of those that finished.

    Trials that were stopped have their last losses, but none better than that.

    ``lied_pending`` is whether the last data held a pending trial.
    """

    lied_pending = False

    def _get_considered_trials(
        self, budget_subset: list[float | None] | None = None
    ) -> dict[TrialKey, TrialValue]:
        considered = super()._get_considered_trials(budget_subset)
        results = [value.cost for value in considered.values() if value.status == StatusType.SUCCESS]
        self.lied_pending = False
        if not results:
            return {}
        worst = np.max(results, axis=0)
        trials = {}
        for key, value in self.runhistory.items():
            if (value.additional_info or {}).get(LOST):
                continue
            pending = value.status == StatusType.RUNNING and (
                not budget_subset or key.budget in budget_subset
            )
            if key in considered and value.status == StatusType.SUCCESS:
                trials[key] = value
            elif key in considered or pending:
                reached = np.reshape((value.additional_info or {}).get(REACHED, worst), worst.shape)
                trials[key] = replace(value, cost=np.maximum(reached, worst).tolist())
                self.lied_pending |= pending
        return trials


class _Encoder(_WithLies):
    """For the Gaussian process."""


class _LogScaledEncoder(_WithLies, RunHistoryLogScaledEncoder):
    """For the random forest."""


class _Hyperband(Hyperband):
    """Hyperband without incumbents, which several objectives at several fidelities break (SMAC3 issue 1074).

    It does not read them: it promotes by dominance within a rung.
    """

    def update_incumbents(self, config: Configuration) -> None:
        """There are none."""


class _OrderedLocalSearch(LocalSearch):
    """SMAC's local search, from the same points in an order that does not depend on the hash seed."""

    def _get_init_points_from_previous_configs(self, *arguments: Any, **options: Any) -> list[Configuration]:
        points = super()._get_init_points_from_previous_configs(*arguments, **options)
        return sorted(points, key=lambda point: point.get_array().tobytes())


def many_objective_intensifier(facade: type[AbstractFacade], scenario: Scenario) -> AbstractIntensifier:
    """The facade's intensifier with all incumbents, where SMAC thins them out to 10."""
    if issubclass(facade, HyperbandFacade | MultiFidelityFacade):
        return _Hyperband(scenario)
    return facade.get_intensifier(scenario, max_incumbents=_ALL_INCUMBENTS)


def lying_encoder(facade: type[AbstractFacade], scenario: Scenario) -> _WithLies:
    """The facade's encoder, with lies."""
    log_scaled = isinstance(facade.get_runhistory_encoder(scenario), RunHistoryLogScaledEncoder)
    return (_LogScaledEncoder if log_scaled else _Encoder)(scenario)


def ordered_maximizer(facade: type[AbstractFacade], scenario: Scenario) -> LocalAndSortedRandomSearch:
    """The facade's acquisition maximizer, with an ordered local search."""
    maximizer = facade.get_acquisition_maximizer(scenario)
    maximizer._local_search = _OrderedLocalSearch(scenario.configspace, seed=scenario.seed)
    return maximizer
