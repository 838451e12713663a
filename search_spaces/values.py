"""The plain Python values of configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str
Config: TypeAlias = Mapping[str, Scalar]
"""One configuration: a plain Python value for every active parameter, constants included."""
