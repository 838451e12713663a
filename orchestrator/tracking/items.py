"""What can be recorded about a study, as plain data; no MLflow in here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

PARENT = ""
"""Name of the parent run in a record; child runs have names of their own."""

LONGEST_KEY, LONGEST_PARAM, LONGEST_TAG = 250, 6_000, 8_000
"""MLflow's limits, in characters."""


@dataclass(frozen=True, slots=True)
class Child:
    """A child run comes into being; ``time`` in milliseconds since the epoch, None: when it is recorded."""

    run: str
    tags: Mapping[str, str] = field(default_factory=dict)
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A finite number that a run reached at a step; ``time`` in milliseconds since the epoch."""

    run: str
    key: str
    value: float
    step: int
    time: int


@dataclass(frozen=True, slots=True)
class Param:
    """A setting that a run keeps for life."""

    run: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A remark on a run; a later one of the same key replaces it."""

    run: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class End:
    """A child run ends before the study does: FINISHED, FAILED or KILLED; ``time`` as above."""

    run: str
    status: str
    time: int


Item = Child | Metric | Param | Tag | End


def metrics(run: str, values: Mapping[str, float], step: int, time: float) -> list[Metric]:
    """One item per finite value; MLflow would store NaN as 0 and infinity as 1.8e308. ``time`` in seconds."""
    return [
        Metric(run, valid_key(key), float(value), step, milliseconds(time))
        for key, value in values.items()
        if math.isfinite(value)
    ]


def param(run: str, key: str, value: object) -> Param:
    """A setting, cut to MLflow's limit."""
    return Param(run, valid_key(key), shortened(str(value), LONGEST_PARAM))


def tag(run: str, key: str, value: object) -> Tag:
    """A remark, cut to MLflow's limit."""
    return Tag(run, valid_key(key), shortened(str(value), LONGEST_TAG))


def milliseconds(seconds: float) -> int:
    """Times as MLflow has them."""
    return round(seconds * 1000)


def valid_key(key: str) -> str:
    """``key`` with characters that MLflow refuses replaced by underscores."""
    return re.sub(r"[^/\w.\- :]", "_", key)[:LONGEST_KEY]


def shortened(text: str, longest: int) -> str:
    """``text``, ending in an ellipsis where it is longer than ``longest`` characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
