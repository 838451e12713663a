"""SMAC3's facades (Lindauer et al. 2022), each an optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smac import (
    BlackBoxFacade,
    HyperbandFacade,
    HyperparameterOptimizationFacade,
    MultiFidelityFacade,
    Scenario,
)
from smac.facade.abstract_facade import AbstractFacade
from smac.intensifier.abstract_intensifier import AbstractIntensifier

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities
from orchestrator.optimizers.hyperband import bracket_sizes
from orchestrator.optimizers.rungs import never_full, steps_between
from orchestrator.optimizers.smac_optimizer import SmacOptimizer
from orchestrator.optimizers.smac_parts import hyperband_intensifier
from search_spaces import ConfigurationError, SearchSpace
from workloads.contract import Fidelity, Objective


class SmacBlackBox(SmacOptimizer):
    """Gaussian process and expected improvement: few numerical parameters, up to a few hundred trials."""

    capabilities = Capabilities()

    def _facade(self) -> Any:
        return BlackBoxFacade


class SmacHpo(SmacOptimizer):
    """Random forest and log expected improvement: many parameters, categorical and conditional ones too."""

    capabilities = Capabilities()

    def _facade(self) -> Any:
        return HyperparameterOptimizationFacade


class SmacParego(SmacOptimizer):
    """ParEGO (Knowles 2006): random weights scalarise the objectives, new ones whenever the model is trained.

    Args:
        n_trials: how many trials the study will have.
        model: ``gp``, the Gaussian process of the black-box facade, or ``forest``, the random forest of the
            hyperparameter optimization facade.
    """

    capabilities = Capabilities(fewest_objectives=2, most_objectives=None)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        n_trials: int = 100,
        model: str = "gp",
    ) -> None:
        if model not in _MODELS:
            raise ConfigurationError("optimizer.model", "'gp' or 'forest'", model)
        self._model = model
        super().__init__(space, objectives, seed, fidelity, constraints, n_trials=n_trials)

    def _facade(self) -> Any:
        return _MODELS[self._model]


class SmacFidelities(SmacOptimizer):
    """What the facades with several fidelities share: SMAC's Hyperband.

    Its rungs are the largest fidelity divided by powers of ``eta``, down to the smallest or just above.

    Args:
        n_trials: how many trials the study will have.
        eta: the ratio between two rungs; one in ``eta`` trials goes on to the next. At least 2.
    """

    capabilities = Capabilities(most_objectives=None, fidelity=True)

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        n_trials: int = 100,
        eta: int = 3,
    ) -> None:
        at_least(2, eta=eta)
        self.eta = eta
        if fidelity is not None:
            self._repeats = self._brackets(fidelity)[0][0]
        super().__init__(space, objectives, seed, fidelity, constraints, n_trials=n_trials)

    def remark(self, trials: int) -> str:
        assert self.fidelity is not None
        smallest, largest = self.fidelity.smallest, self.fidelity.largest
        steps = steps_between(smallest, largest, self.eta)
        if steps == 0:
            return (
                f"every trial will be trained fully: from {smallest} to {largest} {self.fidelity.unit}s "
                f"is less than one step of search.eta={self.eta}"
            )
        never = never_full(sum(self._brackets(self.fidelity)[0][:-1]), trials)
        return "; ".join(filter(None, (self._unused(smallest, largest, steps), never)))

    def _unused(self, smallest: int, largest: int, steps: int) -> str:
        """The remark where SMAC's smallest rung is above the smallest fidelity."""
        assert self.fidelity is not None
        first = round(largest / self.eta**steps)
        if first == smallest:
            return ""
        return (
            f"the smallest fidelity that is used is {first} {self.fidelity.unit}s, not {smallest}, "
            f"since SMAC divides {largest} by powers of search.eta={self.eta}"
        )

    def _brackets(self, fidelity: Fidelity) -> list[tuple[int, ...]]:
        steps = steps_between(fidelity.smallest, fidelity.largest, self.eta)
        return bracket_sizes(steps + 1, self.eta)

    def _parts(self, facade: type[AbstractFacade], scenario: Scenario) -> dict[str, Any]:
        return {**super()._parts(facade, scenario), "intensifier": self._intensifier(facade, scenario)}

    def _intensifier(self, facade: type[AbstractFacade], scenario: Scenario) -> AbstractIntensifier:
        del facade  # both have the same
        return hyperband_intensifier(scenario, self.eta)


class SmacHyperband(SmacFidelities):
    """Hyperband (Li et al. 2018) with random configurations."""

    def _facade(self) -> Any:
        return HyperbandFacade


class SmacMultiFidelity(SmacFidelities):
    """Hyperband with configurations from a random forest, as BOHB has it (Falkner et al. 2018)."""

    def _facade(self) -> Any:
        return MultiFidelityFacade


_MODELS = {"gp": BlackBoxFacade, "forest": HyperparameterOptimizationFacade}
