"""From a command line to complete configurations, one per run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from orchestrator.cli import hydra_call, schema
from orchestrator.cli.arguments import Arguments
from orchestrator.cli.errors import COMPOSITION_ERRORS, not_text, translate, without_override
from orchestrator.cli.listing import conf_dir, options, search_path
from orchestrator.cli.overrides import check_line, check_override
from orchestrator.config.schedules import with_schedules
from orchestrator.config.schema import Root, StudyKind
from orchestrator.config.workload import with_own_spaces
from search_spaces.errors import ConfigurationError
from search_spaces.reading import Nothing

_OPTIMIZER = "auto"
"""What a search has that names no optimizer."""
_WITH_RESUME = ("resume", "repair", "allow", "cluster", "tracking", "hydra")


@dataclass(frozen=True)
class Composed:
    """One run's configuration: plain, checked against the schema, interpolations not yet resolved.

    Attributes:
        config: the configuration.
        overrides: the overrides behind it.
    """

    config: DictConfig
    overrides: tuple[str, ...]


def compose(arguments: Arguments) -> list[Composed]:
    """Every configuration that the command line asks for, in the order of the sweep.

    Raises:
        ConfigurationError: the overrides or a configuration file are wrong.
    """
    _refuse_hidden_files(arguments)
    try:
        return [
            Composed(typed(hydra_call.compose(arguments.config_dir, overrides)), overrides)
            for overrides in _expand(arguments)
        ]
    except RecursionError as error:
        expected = "files of which none includes itself, also through others"
        raise ConfigurationError("defaults", expected, " ".join(arguments.overrides)) from error
    except COMPOSITION_ERRORS as error:
        directories = [arguments.config_dir] if arguments.config_dir else []
        raise (
            _of_a_resumed_run(arguments)
            or without_override(error, directories)
            or not_text(error, directories)
            or translate(error)
        ) from error


def _of_a_resumed_run(arguments: Arguments) -> ConfigurationError | None:
    """Why an override cannot go with ``resume``: there is no study that it could change."""
    keys = [override.lstrip("+~").partition("=")[0] for override in arguments.overrides]
    if "resume" not in keys:
        return None
    for key, override in zip(keys, arguments.overrides, strict=True):
        if re.split(r"[./@]", key)[0] not in _WITH_RESUME and "benchmark" not in key:
            expected = "only cluster.* and tracking.* besides it"
            hint = "a run keeps its own config; start a new one with +study=<name> to change it"
            return ConfigurationError("resume", expected, override, hint)
    return None


def typed(config: Mapping[str, Any]) -> DictConfig:
    """``config``, plain data, checked against the whole schema.

    Hydra lets ``+key=value`` add keys to typed sections; merged into a fresh schema they are refused.
    """
    merged = OmegaConf.merge(_whole_schema(), config)
    assert isinstance(merged, DictConfig)
    return merged


@cache
def _whole_schema() -> DictConfig:
    """The schema with its defaults, to merge into: a merge makes a copy."""
    root = OmegaConf.structured(Root)
    assert isinstance(root, DictConfig)
    return root


def resolved(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain data, complete: interpolations resolved, search spaces and schedules in it.

    A search that names no optimizer has ``auto``.

    Raises:
        ConfigurationError: a mandatory value is missing, an interpolation leads nowhere, a workload's own
            search space is wrong, or a schedule's file cannot be read.
    """
    try:
        for key in sorted(OmegaConf.missing_keys(config)):
            raise ConfigurationError(key, schema.allowed(key), Nothing(), f"it has no default: add {key}=...")
        plain = OmegaConf.to_container(_with_optimizer(config), resolve=True, enum_to_str=True)
    except COMPOSITION_ERRORS as error:
        raise translate(error) from error
    assert isinstance(plain, dict)
    return with_schedules(with_own_spaces({str(key): value for key, value in plain.items()}))


def _with_optimizer(config: DictConfig) -> DictConfig:
    if config.optimizer or config.study.kind != StudyKind.search:
        return config
    complete = config.copy()
    complete.optimizer = OmegaConf.load(conf_dir() / "optimizer" / f"{_OPTIMIZER}.yaml")
    return complete


def _expand(arguments: Arguments) -> list[tuple[str, ...]]:
    for line in arguments.overrides:
        check_line(line)
    parsed = OverridesParser.create().parse_overrides(list(arguments.overrides))
    for override in parsed:
        _check_override(override, search_path(arguments.config_dir))
    return list(itertools.product(*(_choices(override, arguments.multirun) for override in parsed)))


def _check_override(override: Override, directories: Sequence[Path]) -> None:
    """Refuse overrides that Hydra would trip over or that would change how this program uses it."""
    key, line = override.key_or_group, override.input_line or ""
    if not key:
        raise ConfigurationError("command line", "key=value", line)
    names = options(directories, key)
    if override.is_hydra_override() and key != "hydra.searchpath":
        raise ConfigurationError(key, "no settings of Hydra but hydra.searchpath", line)
    if override.is_delete():
        if names or schema.type_of(key) is not None:
            raise ConfigurationError(key, "a value, since it cannot be removed", line)
    elif not names:
        check_override(override)
    elif not (override.is_sweep_override() or isinstance(override.value(), str)):
        raise ConfigurationError(key, f"one of {', '.join(names)}", line.partition("=")[2])


def _choices(override: Override, multirun: bool) -> list[str]:
    line = override.input_line or ""
    if not override.is_sweep_override():
        return [line]
    key, _, value = line.partition("=")
    if not multirun:
        raise ConfigurationError(
            key.lstrip("+"), "one value", value, "add -m to run them one after another, [...] makes a list"
        )
    if not (override.is_choice_sweep() or override.is_range_sweep()) or "glob(" in value:
        raise ConfigurationError(key.lstrip("+"), "a list of values or range(...) after -m", value)
    return [f"{override.get_key_element()}={choice}" for choice in override.sweep_string_iterator()]


def _refuse_hidden_files(arguments: Arguments) -> None:
    """Hydra silently prefers our file to a user's file of the same name."""
    directory = arguments.config_dir
    if directory is None:
        return
    for path in sorted(directory.rglob("*.yaml")):
        name = path.relative_to(directory)
        if (conf_dir() / name).is_file():
            raise ConfigurationError(
                "--config-dir", "names that are not built in", str(name), "rename the file"
            )
