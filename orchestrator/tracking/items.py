"""What can be recorded about a study, as plain data; no MLflow in here."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from orchestrator.tracking.names import clean_name, clean_text

PARENT = ""
"""Name of the parent run in a record; child runs have names of their own."""

LONGEST_PARAM, LONGEST_TAG = 6_000, 8_000
"""MLflow's limits, in characters."""

WORKLOAD = "metric."
"""Before the name of a workload's metric where ours has that name."""


@dataclass(frozen=True, slots=True)
class Child:
    """A child run comes into being; ``time`` in milliseconds since the epoch, None: when it is recorded."""

    run: str
    tags: Mapping[str, str] = field(default_factory=dict)
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A finite number that a run reached at a step; ``time`` in milliseconds since the epoch.

    ``name``, here and below: what it is called by those who reported it, where MLflow gets another key.
    """

    run: str
    key: str
    value: float
    step: int
    time: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """A setting that a run keeps for life."""

    run: str
    key: str
    value: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """A remark on a run; a later one of the same key replaces it."""

    run: str
    key: str
    value: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """What a child run is called from now on; a later name replaces it."""

    run: str
    text: str


@dataclass(frozen=True, slots=True)
class End:
    """A child run ends before the study does: FINISHED, FAILED or KILLED; ``time`` as above."""

    run: str
    status: str
    time: int


Item = Child | Metric | Param | Tag | Name | End

RESULT = "mlflow.note.content"
"""The tag that MLflow's pages show as a run's description."""


def metrics(
    run: str, values: Mapping[str, float], step: int, time: float, ours: Collection[str] = ()
) -> list[Metric]:
    """One item per finite value; MLflow would store NaN as 0 and infinity as 1.8e308.

    Args:
        values: by name; a name that MLflow refuses is cleaned.
        time: seconds since the epoch.
        ours: names that stand for something else in this run, and prefixes, which end in a dot. A metric of
            the workload that is called so has its series at ``metric.<name>``.
    """
    found = [(name, _own_key(name, ours), _number(value)) for name, value in values.items()]
    return [
        Metric(run, key, number, step, milliseconds(time), None if key == name else name)
        for name, key, number in found
        if number is not None
    ]


class Counts:
    """Counts of what need never happen, such as failures: a chart that shows 0 for ever says nothing."""

    def __init__(self) -> None:
        self._happened: set[tuple[str, str]] = set()

    def since_first(self, run: str, counts: Mapping[str, int]) -> dict[str, int]:
        """Those of a run that have ever been more than 0; one may be 0 again."""
        self._happened.update((run, name) for name, count in counts.items() if count)
        return {name: count for name, count in counts.items() if (run, name) in self._happened}


def param(run: str, key: str, value: object) -> Param:
    """A setting, cut to MLflow's limit."""
    clean = clean_name(key)
    return Param(run, clean, clean_text(str(value), LONGEST_PARAM), None if clean == key else key)


def tag(run: str, key: str, value: object) -> Tag:
    """A remark, cut to MLflow's limit."""
    clean = clean_name(key)
    return Tag(run, clean, clean_text(str(value), LONGEST_TAG), None if clean == key else key)


def best(run: str, before: str | None) -> list[Item]:
    """The names that tell a study's best run from the others.

    Args:
        before: the run that was the best so far, if any.
    """
    displaced = [] if before in (None, run) else [Name(before, before)]
    return [*displaced, Name(run, f"{run} (best)")]


def milliseconds(seconds: float) -> int:
    """Times as MLflow has them."""
    return round(seconds * 1000)


def _own_key(name: str, ours: Collection[str]) -> str:
    prefixes = (WORKLOAD, *(one for one in ours if one.endswith(".")))
    taken = bool(ours) and (name in ours or name.startswith(prefixes))
    return clean_name(f"{WORKLOAD}{name}" if taken else name)


def _number(value: float) -> float | None:
    """None for what is no finite number, such as an integer of a thousand digits."""
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
