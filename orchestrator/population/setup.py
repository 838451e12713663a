"""From a resolved configuration to a newly born population and its course."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.population.assemble import PopulationParts
from orchestrator.population.coordination.messages import LOOP, Plan
from orchestrator.population.evolution import Evolution
from workloads.capabilities import blocks_of
from workloads.contract import Workload
from workloads.packing import PackableWorkload

DRAWS = 2
"""Version of the streams that decisions draw from; a run that an earlier one began draws other numbers on."""


def make_evolution(study: Mapping[str, Any], parts: PopulationParts) -> Evolution:
    """The newly born population of a resolved configuration."""
    population = study["population"]
    return Evolution(
        parts.space,
        parts.objectives,
        parts.method,
        size=population["size"],
        generations=population["generations"],
        seed=study["seed"],
        initial=[parts.space.check(config) for config in population["initial"]],
        followed=parts.followed,
        blocks=blocks_of(parts.workload),
    )


def make_plan(study: Mapping[str, Any], parts: PopulationParts, islands: int) -> Plan:
    """The course of a resolved configuration."""
    population, space = study["population"], parts.space
    header = {
        "kind": "population",
        "study": study["study"]["name"],
        "seed": study["seed"],
        "seed_bits": 32,
        "draws": DRAWS,
        "method": type(parts.method).__name__,
        **{key: population[key] for key in ("size", "generations", "synchronous")},
        "interval": parts.interval,
        "islands": islands,
        "unit": parts.workload.fidelity.unit,
        "objectives": [vars(objective) for objective in parts.objectives],
        "mutable": [name for name in space.names if name in space.mutable],
        "parameters": list(space.names),
        "log_parameters": [column.name for column in space.codec.columns if column.log],
    }
    change = None if parts.followed is None else parts.followed.schedule.change_at(0)
    if change is not None:
        header["at_birth"] = asdict(change)
    return Plan(
        generations=population["generations"],
        synchronous=population["synchronous"],
        snapshot_interval=population["snapshot_interval"],
        keep_snapshots=population["keep_snapshots"],
        header=header,
        engine=None if _is_open(study, parts.workload) else LOOP,
        may_loop=population["engine"] == "auto",
        archive=population["archive"],
        snapshot_seconds=population["snapshot_seconds"],
    )


def _is_open(study: Mapping[str, Any], workload: Workload) -> bool:
    """Whether the engine is yet to be found out by trying, which takes the clock."""
    population = study["population"]
    if population["engine"] == "loop" or population["workers"] > 1 or study["deterministic"]:
        return False
    return isinstance(workload, PackableWorkload)
