"""The default configuration alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.fixed import fixed_values
from orchestrator.trial import Trial
from search_spaces import Config, SearchSpace
from workloads.contract import Fidelity, Objective


class DefaultConfiguration(Optimizer):
    """Suggests the configuration of all defaults, once: what can be had without a search.

    Args:
        fixed: values of some parameters instead of their defaults.

    Raises:
        ConfigurationError: ``fixed`` does not fit the space.
    """

    capabilities = Capabilities(most_objectives=None, constraints=True)
    why_none = "there is one default configuration"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        parameters = space.configuration_space
        values = {name: parameters[name].default_value for name in space.names}
        values.update(fixed_values(space, fixed or {}))
        active = space.codec.active_names(values)
        chosen = {name: value for name, value in values.items() if name in active}
        self._config = space.check(chosen, "optimizer.fixed")

    def _suggest(self, token: int) -> tuple[Config, None] | None:
        return None if token else (self._config, None)

    def _learn(self, trial: Trial) -> None:
        """Learns nothing."""
