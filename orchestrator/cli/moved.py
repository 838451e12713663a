"""Names in run directories that were made before what they stand for moved."""

from __future__ import annotations

from typing import Any

from orchestrator.targets import TARGET

MOVED = {"orchestrator.search.stopping.": "orchestrator.stopping.rules."}
"""Old and new prefixes of targets."""


def renamed(value: Any) -> Any:
    """A kept configuration with every ``_target_`` under its present name; plain data."""
    if isinstance(value, list):
        return [renamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _present(item) if key == TARGET else renamed(item) for key, item in value.items()}


def _present(target: Any) -> Any:
    for old, new in MOVED.items():
        if isinstance(target, str) and target.startswith(old):
            return new + target.removeprefix(old)
    return target
