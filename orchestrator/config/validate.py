"""Value checks that go beyond types; an error names the key, the value and what is allowed."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchestrator.config.environment import check_travelling
from orchestrator.config.span import span
from orchestrator.config.texts import PATH, is_address, is_line, is_path
from search_spaces import ConfigurationError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_HOST = re.compile(r"[A-Za-z0-9.:_%-]+")
_TOO_LARGE = 2**63


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
    for key, (expected, is_allowed) in _RULES.items():
        value = _at(config, key)
        if not is_allowed(value):
            raise ConfigurationError(key, expected, value)
    for key, most in _MOST.items():
        value = _at(config, key)
        if isinstance(value, int | float) and value > most:
            raise ConfigurationError(key, f"at most {most:,}".replace(",", " "), value)
    if config["study"]["kind"] == "population":
        _check_population(config["population"], config["cluster"])
        _check_gangs(config["population"], config["cluster"])
        _check_deterministic(config)
    if config["study"]["kind"] == "search":
        _check_search(config["search"], config["cluster"])
    if config["study"]["kind"] == "benchmark":
        _check_benchmark(config["benchmark"])
        _check_workers("cluster.islands", None, sys.maxsize, config["cluster"])
    if config["study"]["kind"] == "preference":
        for key, (expected, is_allowed) in _PREFERENCE_RULES.items():
            if not is_allowed(config["preference"][key]):
                raise ConfigurationError(f"preference.{key}", expected, config["preference"][key])
    _check_cluster(config["cluster"])


def _check_population(population: Mapping[str, Any], cluster: Mapping[str, Any]) -> None:
    for key, (expected, is_allowed) in _POPULATION_RULES.items():
        if not is_allowed(population[key]):
            raise ConfigurationError(f"population.{key}", expected, population[key])
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
    for key, (expected, is_allowed) in _SEARCH_RULES.items():
        if not is_allowed(search[key]):
            raise ConfigurationError(f"search.{key}", expected, search[key])
    _check_gpus(cluster, "trial", "search.workers", search["workers"])
    _check_memory("search", search)
    _check_workers("search.concurrency", search["concurrency"], search["trials"], cluster)


def _check_benchmark(benchmark: Mapping[str, Any]) -> None:
    for key, (expected, is_allowed) in _BENCHMARK_RULES.items():
        if not is_allowed(benchmark[key]):
            raise ConfigurationError(f"benchmark.{key}", expected, benchmark[key])
    expected, is_allowed = _NAMED
    for section in ("methods", "suites"):
        for name in benchmark[section]:
            if not is_allowed(name):
                raise ConfigurationError(f"benchmark.{section}", expected, name)


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


Rule = tuple[str, Callable[[Any], bool]]


def _at_least(least: int, noun: str = "an integer") -> Rule:
    return f"{noun} of at least {least}", lambda value: least <= value < math.inf


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _optional(rule: Rule) -> Rule:
    expected, is_allowed = rule
    return f"{expected}, or null", lambda value: value is None or is_allowed(value)


def _matching(expected: str, pattern: re.Pattern[str]) -> Rule:
    return expected, lambda value: pattern.fullmatch(value) is not None


def _is_dotted(value: Any) -> bool:
    return isinstance(value, str) and all(part.isidentifier() for part in value.split("."))


_POSITIVE: Rule = ("a number above 0", lambda value: 0 < value < math.inf)
_NAMED = _matching("letters, digits, '.', '_' and '-', the first a letter or digit, at most 200", _NAME)
_PATH: Rule = (PATH, is_path)

_RULES: dict[str, Rule] = {
    "study.name": _NAMED,
    "seed": _at_least(0),
    "run.dir": _optional(_PATH),
    "run.restarts": _at_least(0),
    "cluster.address": _optional(("'auto', 'host:port' or 'ray://host:port'", is_address)),
    "cluster.islands": _optional(_at_least(1)),
    "cluster.cpus_per_island": _POSITIVE,
    "cluster.gpus_per_island": _at_least(0, "a number"),
    "cluster.cpus_per_trial": _POSITIVE,
    "cluster.gpus_per_trial": _at_least(0, "a number"),
    "cluster.cpus": _optional(_at_least(1)),
    "cluster.gpus": _optional(_at_least(0)),
    "cluster.dashboard_host": _matching("a host's name or address", _HOST),
    "cluster.heartbeat": _optional(_at_least(1, "a number of seconds")),
    "cluster.grace": _at_least(0, "a number of seconds"),
    "cluster.max_failures": _at_least(0),
    "cluster.working_dir": _optional(_PATH),
    "tracking.uri": _optional(("a text that is not empty", lambda value: is_line(value, 4096))),
    "tracking.experiment": _optional(
        ("one line of at most 250 characters", lambda value: is_line(value, 250))
    ),
    "allow": ("names of packages, modules or objects", lambda value: all(map(_is_dotted, value))),
}

_MOST = {
    "seed": 10**18,
    "population.size": 10**6,
    "population.generations": 10**9,
    "population.interval": 10**15,
    "population.snapshot_interval": 10**15,
    "population.keep_snapshots": 10**15,
    "population.archive": 10**6,
    "population.workers": 10**6,
    "population.time_limit": 10**9,
    "population.memory_limit": 10**9,
    "search.trials": 10**9,
    "search.concurrency": 10**6,
    "search.repeats": 10**6,
    "search.finalists": 10**6,
    "search.finalist_seeds": 10**6,
    "search.workers": 10**6,
    "search.time_limit": 10**9,
    "search.memory_limit": 10**9,
    "search.checkpoint_seconds": 10**9,
    "search.first_rung": 10**15,
    "search.eta": 10**9,
    "benchmark.seeds": 10**6,
    "benchmark.workers": 10**6,
    "benchmark.block_seconds": 10**9,
    "preference.questions": 10**6,
    "preference.initial": 10**6,
    "run.restarts": 10**6,
    "cluster.heartbeat": 10**9,
    "cluster.islands": 10**6,
    "cluster.cpus": 10**6,
    "cluster.gpus": 10**6,
    "cluster.cpus_per_island": 10**6,
    "cluster.cpus_per_trial": 10**6,
    "cluster.max_failures": 10**9,
}
"""Numbers beyond which nothing can be meant, and memory, clocks or files of numbers would give way."""

_UNITS = ("island", "trial")

_SEVERAL_GPUS = {
    "island": "cluster.islands=<GPUs> uses more; population.workers=<GPUs> trains each member on several",
    "trial": "search.workers=<GPUs> lets several processes train one trial, with a GPU each",
}

_SEARCH_RULES: dict[str, Rule] = {
    "trials": _at_least(1),
    "seconds": _optional(_POSITIVE),
    "fidelity_units": _optional(_at_least(1)),
    "patience": _optional(_at_least(1)),
    "retries": _optional(_at_least(0)),
    "repeats": _at_least(1),
    "finalists": _at_least(0),
    "finalist_seeds": _at_least(1),
    "from": ("run directories, Optuna storages or tables, as texts", lambda value: all(map(_is_text, value))),
    "concurrency": _optional(_at_least(1)),
    "workers": _at_least(1),
    "time_limit": _optional(_POSITIVE),
    "memory_limit": _optional(_POSITIVE),
    "checkpoint_seconds": _optional(_POSITIVE),
    "first_rung": _optional(_at_least(1)),
    "eta": _at_least(2),
    "archive": _at_least(0),
}

_BENCHMARK_RULES: dict[str, Rule] = {
    "seeds": _at_least(1),
    "workers": _at_least(1),
    "time_limit": _optional(_POSITIVE),
    "block_seconds": _POSITIVE,
}

_PREFERENCE_RULES: dict[str, Rule] = {
    "questions": _at_least(1),
    "initial": _at_least(1),
    "port": _optional(("a port from 1 to 65535", lambda value: 1 <= value <= 65535)),
}

_POPULATION_RULES: dict[str, Rule] = {
    "size": _at_least(2),
    "generations": _at_least(1),
    "interval": ("an integer of at least 1, or auto", lambda value: value == "auto" or _is_count(value)),
    "snapshot_interval": _at_least(1),
    "snapshot_seconds": _optional(_POSITIVE),
    "keep_snapshots": _at_least(1),
    "archive": _at_least(1),
    "workers": _at_least(1),
    "time_limit": _optional(_POSITIVE),
    "memory_limit": _optional(_POSITIVE),
}


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
