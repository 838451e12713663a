"""Schedules of hyperparameters in a configuration: a file's content takes the place of its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestrator.config.yaml_text import parse
from search_spaces import ConfigurationError

KEY = "schedule"


def with_schedules(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with its schedules as data, so that a run keeps them and a resume needs no file.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: a schedule's file is missing or holds no YAML.
    """
    methods = {
        name: {**method, KEY: _read(method[KEY], f"benchmark.methods.{name}.{KEY}")}
        if isinstance(method, Mapping) and KEY in method
        else method
        for name, method in config["benchmark"]["methods"].items()
    }
    benchmark = {**config["benchmark"], "methods": methods}
    return {**config, KEY: _read(config[KEY], KEY), "benchmark": benchmark}


def _read(value: Any, key: str) -> Any:
    """What the file holds that ``value`` names; a schedule that stands there itself as it is."""
    if value is None or isinstance(value, Mapping):
        return value
    expected = "a YAML file with a schedule, such as results/schedule.yaml of a population's run"
    if not isinstance(value, str):
        raise ConfigurationError(key, expected, value)
    try:
        data = parse(Path(value).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(key, expected, value, reason) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(key, expected, value, " ".join(str(error).split())) from error
    if not isinstance(data, Mapping):
        found = "an empty file" if data is None else f"a {type(data).__name__}"
        raise ConfigurationError(key, expected, value, f"it holds {found}, not a mapping")
    return data
