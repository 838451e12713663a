"""What became of a configuration in another study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What became of a configuration elsewhere.

    Args:
        config: values by parameter, of a space that may be another.
        curve: metrics by fidelity.
        unit: of the fidelities; empty: there are none.
        full: whether it was trained as far as that study trains.
        failed: why it failed; empty where it did not.
        indices: whether an ordinal parameter has the index of its value in the place of the value.
    """

    config: Mapping[str, Any]
    curve: Mapping[int, Mapping[str, float]]
    unit: str = ""
    full: bool = True
    failed: str = ""
    indices: bool = False


def metrics_among(values: Mapping[str, Any]) -> dict[str, float]:
    """Those of a source's values that are numbers."""
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
