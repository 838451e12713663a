"""The coordinator as one named Ray actor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from orchestrator.config.span import span_of
from orchestrator.engine.actor import StudyActor, start_actor
from orchestrator.engine.metrics import Labels
from orchestrator.engine.population_metrics import PopulationMetrics
from orchestrator.population.assemble import assemble_population
from orchestrator.population.coordination.coordinator import Coordinator
from orchestrator.population.setup import make_evolution, make_plan
from orchestrator.run.directory import RunDirectory
from workloads import given

CALLS_PER_ISLAND = 8
"""Calls of one island that may wait at once, with room for those that its dead predecessors left behind."""


class PopulationCoordinator(StudyActor, Coordinator):
    """Builds the population from a resolved configuration.

    Args:
        study: the resolved configuration.
        run: the run directory.
        islands: how many there are.
        workload: what :func:`workloads.given.packed` has packed on the driver.
    """

    def __init__(
        self, study: Mapping[str, Any], run: RunDirectory, first: int, workload: bytes | None = None
    ) -> None:
        given.accept(workload)
        parts = assemble_population(study)
        evolution = make_evolution(study, parts)
        metrics = PopulationMetrics(Labels.of(study, run), parts.interval)
        plan, cluster = make_plan(study, parts, first), study["cluster"]
        least, _ = span_of(cluster) or (0, 0)
        super().__init__(evolution, plan, run, first, time.time, metrics, cluster["grace"], least)
        self.study_name = study["study"]["name"]

    @property
    def over(self) -> bool:
        """Whether the last snapshot is valid, or the study has failed."""
        return self._saving.over or self._membership.failure is not None


def start_coordinator(
    study: Mapping[str, Any], run: RunDirectory, islands: int, first: int, name: str
) -> Any:
    """The coordinator's handle, once it has read what is in the run directory.

    All islands wait at every barrier, so the call that lets them go on must always find room.
    """
    return start_actor(
        PopulationCoordinator, name, CALLS_PER_ISLAND * islands, study, run, first, given.packed()
    )
