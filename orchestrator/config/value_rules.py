"""What each value of a study's configuration must be, looked at alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from orchestrator.config.texts import PATH, is_address, is_line, is_path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_HOST = re.compile(r"[A-Za-z0-9.:_%-]+")

Rule = tuple[str, Callable[[Any], bool]]
"""What is expected, in words, and whether a value is."""


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
NAMED = _matching("letters, digits, '.', '_' and '-', the first a letter or digit, at most 200", _NAME)
_PATH: Rule = (PATH, is_path)

RULES: dict[str, Rule] = {
    "study.name": NAMED,
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
"""By key of any study's configuration."""

RULES_OF_KIND: dict[str, dict[str, Rule]] = {
    "population": {
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
    },
    "search": {
        "trials": _at_least(1),
        "seconds": _optional(_POSITIVE),
        "fidelity_units": _optional(_at_least(1)),
        "patience": _optional(_at_least(1)),
        "retries": _optional(_at_least(0)),
        "repeats": _at_least(1),
        "finalists": _at_least(0),
        "finalist_seeds": _at_least(1),
        "from": (
            "run directories, Optuna storages or tables, as texts",
            lambda value: all(map(_is_text, value)),
        ),
        "concurrency": _optional(_at_least(1)),
        "workers": _at_least(1),
        "time_limit": _optional(_POSITIVE),
        "memory_limit": _optional(_POSITIVE),
        "checkpoint_seconds": _optional(_POSITIVE),
        "first_rung": _optional(_at_least(1)),
        "eta": _at_least(2),
        "archive": _at_least(0),
    },
    "benchmark": {
        "seeds": _at_least(1),
        "workers": _at_least(1),
        "time_limit": _optional(_POSITIVE),
        "block_seconds": _POSITIVE,
    },
    "preference": {
        "questions": _at_least(1),
        "initial": _at_least(1),
        "port": _optional(("a port from 1 to 65535", lambda value: 1 <= value <= 65535)),
    },
}
"""Likewise by kind of study, for its own part of the configuration."""

MOST = {
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
