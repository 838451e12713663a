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

CALLS_PER_ISLAND = 8
"""Calls of one island that may wait at once, with room for those that its dead predecessors left behind."""
OTHER_CALLS = 64
"""Calls of the driver that may come meanwhile."""


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


def concurrent_calls(islands: int) -> int:
    """How many calls the coordinator has to hold at the same time.

    Ray runs 1,000 unless told otherwise. All islands wait at every barrier, so the call that would let them
    go on would never be run.
    """
    return OTHER_CALLS + CALLS_PER_ISLAND * islands


def start_coordinator(study: Mapping[str, Any], run: RunDirectory, islands: int, name: str) -> Any:
    """The coordinator's handle, once it has read what is in the run directory.

    It lives with the driver if it can: a node that comes and goes would take the study along.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    actor = ray.remote(PopulationCoordinator).options(
        name=name,
        namespace=NAMESPACE,
        num_cpus=0,
        scheduling_strategy=here,
        max_concurrency=concurrent_calls(islands),
    )
    handle = actor.remote(study, run, islands)
    ray.get(handle.outcome.remote())
    return handle
