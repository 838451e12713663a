"""The coordinator as one named Ray actor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.assemble import assemble_population
from orchestrator.population.coordinator import Coordinator
from orchestrator.population.ray_metrics import PopulationMetrics
from orchestrator.population.setup import make_evolution, make_plan
from orchestrator.run_directory import RunDirectory

NAMESPACE = "orchestrator"


class PopulationCoordinator(Coordinator):
    """Builds the population from a resolved configuration."""

    def __init__(self, study: Mapping[str, Any], run: RunDirectory, islands: int) -> None:
        parts = assemble_population(study)
        evolution = make_evolution(study, parts)
        metrics = PopulationMetrics(study["study"]["name"], study["population"]["interval"])
        super().__init__(evolution, make_plan(study, parts, islands), run, islands, time.time, metrics)
        self._name = study["study"]["name"]

    def __repr__(self) -> str:
        return f"coordinator of {self._name}"


def start_coordinator(study: Mapping[str, Any], run: RunDirectory, islands: int, name: str) -> Any:
    """The coordinator's handle, once it has read what is in the run directory.

    It lives with the driver if it can: a node that comes and goes would take the study along.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    actor = ray.remote(PopulationCoordinator).options(
        name=name, namespace=NAMESPACE, num_cpus=0, scheduling_strategy=here
    )
    handle = actor.remote(study, run, islands)
    ray.get(handle.outcome.remote())
    return handle
