"""Configurations as YAML, which a click on a point of a page shows; fast, since pages have thousands."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import yaml


def block(config: Mapping[str, Any]) -> str:
    """A mapping of names to scalars, one a line."""
    return "".join(f"{scalar(name)}: {scalar(value)}\n" for name, value in config.items())


def flow(value: Any) -> str:
    """Plain data in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(name)}: {flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A value as YAML 1.1 reads it back."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        text = repr(value)
        # Without a point, 1e-05 would be text.
        return text if "." in text or "e" not in text else text.replace("e", ".0e", 1)
    if isinstance(value, str) and value.isidentifier() and value.lower() not in _WORDS:
        return value
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        # In double quotes: in single ones a line's end is kept as one, and no key may go over lines.
        quoted = yaml.safe_dump([value], default_style='"', default_flow_style=True, width=float("inf"))
        return str(quoted).strip()[1:-1]
    return json.dumps(value)


_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
"""Names that YAML reads as something else."""
