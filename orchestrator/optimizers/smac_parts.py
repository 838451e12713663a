"""Components of SMAC3 with our corrections."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from ConfigSpace import Configuration
from smac import Scenario
from smac.acquisition.maximizer import LocalAndSortedRandomSearch, LocalSearch
from smac.facade.abstract_facade import AbstractFacade
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.intensifier.hyperband import Hyperband
from smac.main.config_selector import ConfigSelector
from smac.main.exceptions import ConfigurationSpaceExhaustedException
from smac.model import AbstractModel
from smac.model.random_forest import RandomForest
from smac.runhistory import StatusType, TrialKey, TrialValue
from smac.runhistory.encoder import RunHistoryEncoder, RunHistoryLogScaledEncoder

from orchestrator.optimizers.rungs import steps_between

_ALL_INCUMBENTS = 2**31

_MOST_LEAVES = 2**14
"""Of a tree: more than there are trials, but few enough that their memory is reserved in no time."""

LOST = "lost"
"""Marks a lost trial in SMAC's additional information: its result says nothing."""
REACHED = "reached"
"""Holds the last losses of a stopped trial in SMAC's additional information."""


class _WithLies(RunHistoryEncoder):
    """Training data in which pending and failed trials have the worst result of the finished ones.

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


class _ExactHyperband(Hyperband):
    """Hyperband with the number of rungs counted in whole numbers, where SMAC's logarithms may lose one."""

    @staticmethod
    def _get_max_iterations(eta: int, max_budget: float, min_budget: float) -> int:
        return steps_between(int(min_budget), int(max_budget), eta)


class _HyperbandWithoutIncumbents(_ExactHyperband):
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


class TirelessSelector(ConfigSelector):
    """SMAC's selector gives up after a few tries; this one then takes the configuration that it is given.

    Args:
        like: the facade's own selector.
        another: gives a configuration that is not in its argument; None if there is no other.
        repeats: how many configurations it then gives once more. Hyperband begins no bracket with fewer than
            it wants, and would never try the last ones.

    Attributes:
        known: configurations with results that SMAC did not select; they are not selected any more.
        recalled: what it selects next, without a model.
        exhausted: whether every configuration of the space has been selected or is known.
    """

    def __init__(
        self,
        scenario: Scenario,
        like: ConfigSelector,
        another: Callable[[Sequence[Configuration]], Configuration | None],
        repeats: int,
    ) -> None:
        super().__init__(
            scenario,
            retrain_after=like._retrain_after,
            max_new_config_tries=like._max_new_config_tries,
            min_trials=like._min_trials,
        )
        self._another, self._repeats = another, repeats
        self._selected: list[Configuration] = []
        self.known: list[Configuration] = []
        self.recalled: Configuration | None = None
        self.exhausted = False

    @property
    def designing(self) -> bool:
        """Whether the initial design has not been selected yet, which takes no model."""
        return len(self._selected) < len(self._initial_design_configs)

    def shorten_design(self, known: int) -> None:
        """Leave out a part of the initial design, since ``known`` results are there already."""
        self._initial_design_configs: list[Configuration] = self._initial_design_configs[known:]

    def __iter__(self) -> Iterator[Configuration]:
        found = self._found()
        while True:
            config = self._recall() or next(found, None)
            if config is None:
                found = self._found()
                config = self._another([*self._selected, *self.known])
                if config is None:
                    self.exhausted = True
                    yield from itertools.islice(itertools.cycle(self._selected), self._repeats)
                    return
            self._selected.append(config)
            yield config

    def _recall(self) -> Configuration | None:
        config, self.recalled = self.recalled, None
        if config is not None:
            self._processed_configs.append(config)
        return config

    def _found(self) -> Iterator[Configuration]:
        """SMAC's selections, until it gives up or repeats itself."""
        repeated = 0
        with suppress(ConfigurationSpaceExhaustedException):
            for config in super().__iter__():
                if config not in self._selected and config not in self.known:
                    yield config
                    continue
                repeated += 1
                if repeated == self._max_new_config_tries:
                    return


def hyperband_intensifier(scenario: Scenario, eta: int) -> AbstractIntensifier:
    """SMAC's Hyperband with our corrections."""
    several = scenario.count_objectives() > 1
    return (_HyperbandWithoutIncumbents if several else _ExactHyperband)(scenario, eta=eta)


def many_objective_intensifier(facade: type[AbstractFacade], scenario: Scenario) -> AbstractIntensifier:
    """The facade's intensifier with all incumbents, where SMAC thins them out to 10."""
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


def lean_model(facade: type[AbstractFacade], scenario: Scenario) -> AbstractModel:
    """The facade's model; a forest whose trees reserve memory for 2^14 leaves, where SMAC has 2^20.

    Up to as many trials it is the same forest. Before a tree grows, scikit-learn sets aside the memory of all
    leaves that it may have, which took longer than all else that a suggestion takes.
    """
    model = facade.get_model(scenario)
    if isinstance(model, RandomForest):
        model._rf_opts.update(max_leaf_nodes=_MOST_LEAVES, n_jobs=1)
    return model
