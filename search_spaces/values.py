"""The plain Python values of configurations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str
Config: TypeAlias = Mapping[str, Scalar]
"""One configuration: a plain Python value for every active parameter, constants included."""


def config_key(config: Config) -> str:
    """A text that equal configurations share, in whatever order their values stand.

    The seeds of trials derive from it: with another text, a study would not repeat.
    """
    return json.dumps(config, sort_keys=True)
