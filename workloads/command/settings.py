"""What a configuration says of a program, value by value, read and checked.

Every function raises ConfigurationError, with the name of the setting, where a value cannot be meant so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces import ConfigurationError
from search_spaces.reading import as_real, listing
from workloads.command.process import Limits
from workloads.command.templates import Template, text_of
from workloads.contract import Fidelity, Objective
from workloads.function import objective_of

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def objectives_of(given: Sequence[Objective | str | Mapping[str, Any]]) -> tuple[Objective, ...]:
    """Metrics that are optimised."""
    objectives = tuple(objective_of(one) for one in given)
    if not objectives:
        raise ConfigurationError("objectives", "at least one metric that the program reports", [])
    return objectives


def fidelity_of(given: Any) -> Fidelity:
    """The unit of training and its bounds."""
    if isinstance(given, Fidelity):
        return given
    known = ("unit", "smallest", "largest")
    if not isinstance(given, Mapping) or not given.keys() <= {*known}:
        raise ConfigurationError("fidelity", f"a mapping with {listing(known)}", given)
    return Fidelity(**given)


def template_of(given: Any, key: str) -> Template:
    """A command line."""
    if not isinstance(given, list | tuple):
        raise ConfigurationError(key, "a list: the program, then each of its arguments", given)
    return Template.of(given)


def limits_of(seconds: float | None, mebibytes: float | None, grace: float) -> Limits:
    """What the program may take; seconds, MiB and seconds."""
    limits = Limits(
        None if seconds is None else _positive(seconds, "time_limit"),
        0 if mebibytes is None else int(_positive(mebibytes, "memory_limit") * 2**20),
        as_real(grace, "grace"),
    )
    if limits.grace < 0:
        raise ConfigurationError("grace", "a number of at least 0", grace)
    return limits


def log_limit_of(given: int) -> int:
    """Bytes that are kept of what the program prints."""
    if given < 1024:
        raise ConfigurationError("log_limit", "an integer of at least 1024", given)
    return given


def _positive(value: Any, key: str) -> float:
    number = as_real(value, key, "a number above 0, or null")
    if number <= 0:
        raise ConfigurationError(key, "a number above 0, or null", value)
    return number


def environment_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Variables with values of their own; those of the driver are left out."""
    for name, value in given.items():
        if not _VARIABLE.fullmatch(str(name)):
            raise ConfigurationError("environment", "names of variables", name)
        if value is not None and not isinstance(value, str | int | float):
            raise ConfigurationError(f"environment.{name}", "a text or a number, or null", value)
    return {
        str(name): value if isinstance(value, str) else text_of(value)
        for name, value in given.items()
        if value is not None
    }
