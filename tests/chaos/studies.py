"""Small studies of every kind, for the chaos command's ``--study``."""

from __future__ import annotations

from pathlib import Path

_CONF = Path(__file__).parents[1] / "orchestrator" / "benchmark" / "conf"

PATIENT = (
    *("tracking=none", "tracking.terminal=false", "cluster.dashboard=false"),
    *("run.restarts=1000", "cluster.max_failures=1000"),
)
"""What all of them need: more faults within an hour than anybody should expect, and to begin again fast."""

_DIGITS = (
    "+study=pbt_digits",
    "population.size=8",
    "population.generations=40",
    "population.interval=60",
    "workload.steps=100000",
    "population.snapshot_interval=1",
    "cluster.cpus_per_island=0.5",
    "cluster.islands=2",
)

STUDIES: dict[str, tuple[str, ...]] = {
    "population": (*_DIGITS, "population.engine=loop"),
    "asynchronous": (*_DIGITS, "population.engine=loop", "population.synchronous=false"),
    "packed": (*_DIGITS, "population.engine=packed"),
    "gangs": (*_DIGITS, "population.workers=2", "population.size=4"),
    "search": ("+study=search_digits", "optimizer=random", "search/stopping=none", "search.trials=60"),
    "benchmark": (
        *("--config-dir", str(_CONF), "+study=tiny"),
        *("benchmark.seeds=20", "+benchmark.suites.steps.workload.pause=0.02"),
    ),
}

ORDERED = frozenset(STUDIES) - {"asynchronous"}
"""Those that end with the same results however they are disturbed."""

ROUNDING = {"packed": 1e-4}
"""Relative differences that are none: members are rounded differently in packs of other sizes, such as those
that the islands of fewer nodes form."""

NODES: dict[str, tuple[str, ...]] = {
    "population": ("cluster.islands=4", "cluster.cpus_per_island=1"),
    "asynchronous": ("cluster.islands=4", "cluster.cpus_per_island=1"),
    "packed": ("cluster.islands=4", "cluster.cpus_per_island=1"),
}
"""What is different for a cluster of four nodes with a CPU each."""
