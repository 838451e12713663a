"""What comes back from a user's training: metrics, which must be numbers, or anything that it raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RAISED_ANYWHERE = (Exception, SystemExit, GeneratorExit)
"""All that a training may raise, without interrupts: it may run in the process of whoever presses Ctrl-C."""
RAISED = (*RAISED_ANYWHERE, KeyboardInterrupt)
"""All that a training may raise in a worker's process. There nobody presses Ctrl-C: the driver is told."""


def numbers(metrics: Any) -> dict[str, float]:
    """What a session reported, as numbers.

    Takes whatever ``float`` takes (NumPy's scalars, tensors of one element, truth values) but text.

    Raises:
        TypeError: it is no mapping from names to numbers.
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(f"expected metrics as a mapping from names to numbers, got {_shown(metrics)}")
    return {_name(name): _number(name, value) for name, value in metrics.items()}


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"expected a text as a metric's name, got {_shown(name)}")
    return name


def _number(name: str, value: Any) -> float:
    try:
        if not isinstance(value, str | bytes | bytearray):
            return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    raise TypeError(f"expected {name!r} to be a number, got {_shown(value)}")


def _shown(value: Any) -> str:
    """The value in one short line, whatever its ``repr`` does."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a user's object may raise anything
        text = f"a {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:100]} …"
