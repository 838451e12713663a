"""Workloads that compute what a configuration is worth: while it is evaluated, nothing is trained by it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from search_spaces import Config, SearchSpace
from workloads.capabilities import Facts
from workloads.contract import Device, Fidelity, Metrics, Objective
from workloads.function import FunctionSession, FunctionWorkload
from workloads.knobs import Knobs, check_objectives


class Computed(ABC):
    """What they share: one call per configuration, with the same result for every seed.

    Args:
        space: what varies.
        knobs: what may vary.
        objectives: what is optimised.
        metrics: names of those that there are.

    Raises:
        ConfigurationError: the space or an objective is none of these.
    """

    facts = Facts(deterministic=True)
    fidelity = Fidelity("call")

    def __init__(
        self, space: SearchSpace, knobs: Knobs, objectives: Sequence[Objective], metrics: Sequence[str]
    ) -> None:
        knobs.check_space(space)
        check_objectives(objectives, metrics)
        self.space, self.objectives = space, tuple(objectives)

    def start(self, config: Config, seed: int, device: Device) -> FunctionSession:
        """A session that evaluates ``config``."""
        workload = FunctionWorkload(self._metrics, self.space, self.objectives, self.fidelity, ())
        return workload.start(config, seed, device)

    @abstractmethod
    def _metrics(self, config: Config) -> Metrics:
        """What a configuration is worth."""
