"""How many workers a study has: ``min..max``, which it takes as room appears."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SPAN = re.compile(r"([1-9][0-9]{0,5})\.\.([1-9][0-9]{0,5})")


def span(text: str) -> tuple[int, int] | None:
    """The least and the most that ``min..max`` says; None where it says no such thing."""
    found = _SPAN.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        return None
    return int(found[1]), int(found[2])


def span_of(cluster: Mapping[str, Any]) -> tuple[int, int] | None:
    """What the configuration's ``cluster`` part says; None where the number of workers does not change."""
    return None if cluster["workers"] is None else span(cluster["workers"])


def up_to(cluster: Mapping[str, Any], count: int) -> str:
    """How many workers there are, in words."""
    return f"{count}" if cluster["workers"] is None else f"up to {count}"
