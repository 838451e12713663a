"""Value checks that go beyond types; an error names the key, the value and what is allowed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.config.environment import check_travelling
from orchestrator.config.span import span
from orchestrator.config.value_rules import MOST, NAMED, RULES, RULES_OF_KIND, Rule
from search_spaces import ConfigurationError

_TOO_LARGE = 2**63
_UNITS = ("island", "trial")

_SEVERAL_GPUS = {
    "island": "cluster.islands=<GPUs> uses more; population.workers=<GPUs> trains each member on several",
    "trial": "search.workers=<GPUs> lets several processes train one trial, with a GPU each",
}


def check_values(config: Mapping[str, Any]) -> None:
    """Refuse values that no study can run with.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: the first value that is not allowed.
    """
    for key, number in _integers(config, ""):
        if abs(number) >= _TOO_LARGE:
            raise ConfigurationError(key, "an integer of at most 64 bits", number)
    for key, rule in RULES.items():
        _check(key, _at(config, key), rule)
    for key, most in MOST.items():
        value = _at(config, key)
        if isinstance(value, int | float) and value > most:
            raise ConfigurationError(key, f"at most {most:,}".replace(",", " "), value)
    kind = config["study"]["kind"]
    for key, rule in RULES_OF_KIND.get(kind, {}).items():
        _check(f"{kind}.{key}", config[kind][key], rule)
    if kind == "population":
        _check_population(config["population"], config["cluster"])
        _check_gangs(config["population"], config["cluster"])
        _check_deterministic(config)
    if kind == "search":
        _check_search(config["search"], config["cluster"])
    if kind == "benchmark":
        _check_benchmark(config["benchmark"])
        _check_workers("cluster.islands", None, sys.maxsize, config["cluster"])
    _check_cluster(config["cluster"])


def _check(key: str, value: Any, rule: Rule) -> None:
    expected, is_allowed = rule
    if not is_allowed(value):
        raise ConfigurationError(key, expected, value)


def _check_population(population: Mapping[str, Any], cluster: Mapping[str, Any]) -> None:
    size = population["size"]
    if len(population["initial"]) > size:
        expected = f"at most population.size = {size} configurations"
        raise ConfigurationError("population.initial", expected, len(population["initial"]))
    if cluster["islands"] is not None and cluster["islands"] > size:
        expected = f"at most population.size = {size}"
        raise ConfigurationError("cluster.islands", expected, cluster["islands"], "one member each")
    _check_workers("cluster.islands", cluster["islands"], size, cluster)


def _check_gangs(population: Mapping[str, Any], cluster: Mapping[str, Any]) -> None:
    """Of members that several processes train."""
    workers, engine = population["workers"], population["engine"]
    if workers > 1 and engine == "packed":
        expected = f"auto or loop where population.workers is above 1 ({workers})"
        hint = "members that several processes train are not packed"
        raise ConfigurationError("population.engine", expected, engine, hint)
    _check_gpus(cluster, "island", "population.workers", workers)
    _check_memory("population", population)


def _check_memory(kind: str, section: Mapping[str, Any]) -> None:
    """A limit is of one process, and several that train together would each have one."""
    workers, limit = section["workers"], section["memory_limit"]
    if workers > 1 and limit is not None:
        expected = f"null where {kind}.workers is above 1 ({workers})"
        raise ConfigurationError(f"{kind}.memory_limit", expected, limit)


def _check_gpus(cluster: Mapping[str, Any], unit: str, key: str, workers: int) -> None:
    gpus = cluster[f"gpus_per_{unit}"]
    if workers > 1 and 0 < gpus < 1:
        expected = f"0 or 1 where {key} is above 1 ({workers})"
        hint = "NCCL, which connects the workers, wants a GPU for each"
        raise ConfigurationError(f"cluster.gpus_per_{unit}", expected, gpus, hint)


def _check_deterministic(config: Mapping[str, Any]) -> None:
    engine = config["population"]["engine"]
    if config["deterministic"] and engine == "packed":
        hint = "how members are packed depends on the clock and on free memory"
        raise ConfigurationError(
            "population.engine", "auto or loop where deterministic is true", engine, hint
        )


def _check_search(search: Mapping[str, Any], cluster: Mapping[str, Any]) -> None:
    _check_gpus(cluster, "trial", "search.workers", search["workers"])
    _check_memory("search", search)
    _check_workers("search.concurrency", search["concurrency"], search["trials"], cluster)


def _check_benchmark(benchmark: Mapping[str, Any]) -> None:
    for section in ("methods", "suites"):
        for name in benchmark[section]:
            _check(f"benchmark.{section}", name, NAMED)


def _check_workers(key: str, fixed: int | None, most: int, cluster: Mapping[str, Any]) -> None:
    """A number of workers that may change, beside one that may not.

    Args:
        key: of the other one, which is ``fixed``.
        most: how many there is work for.
    """
    workers = cluster["workers"]
    if workers is None:
        return
    if (wanted := span(workers)) is None:
        raise ConfigurationError("cluster.workers", "min..max, such as 2..8, or null", workers)
    if fixed is not None:
        raise ConfigurationError("cluster.workers", f"null where {key} is set ({fixed})", workers)
    if wanted[0] > most:
        raise ConfigurationError("cluster.workers", f"at least 1 and at most {most} to begin with", workers)


def _check_cluster(cluster: Mapping[str, Any]) -> None:
    check_travelling(cluster)
    for unit in _UNITS:
        gpus = cluster[f"gpus_per_{unit}"]
        if gpus > 1:
            expected = f"at most 1, since the process of one {unit} computes on one GPU"
            raise ConfigurationError(f"cluster.gpus_per_{unit}", expected, gpus, _SEVERAL_GPUS[unit])
    for resource in ("cpus", "gpus"):
        total = cluster[resource]
        if total is None:
            continue
        if cluster["address"] is not None:
            hint = "only a local Ray can be given its size"
            raise ConfigurationError(f"cluster.{resource}", "null where cluster.address is set", total, hint)
        for unit in _UNITS:
            share = cluster[f"{resource}_per_{unit}"]
            if share > total:
                raise ConfigurationError(
                    f"cluster.{resource}_per_{unit}", f"at most {total}, which is cluster.{resource}", share
                )


def _integers(value: Any, key: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, int):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _integers(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _integers(item, f"{key}[{index}]")


def _at(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value[part]
    return value
