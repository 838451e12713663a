"""Going on with a run: its own configuration, and what may be changed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from orchestrator.cli.compose import Composed, typed
from orchestrator.cli.errors import COMPOSITION_ERRORS
from orchestrator.cli.run_config import keep_config, named_directory
from orchestrator.config.environment import TRAVELLING
from orchestrator.config.passwords import has_password
from orchestrator.config.yaml_text import parse
from orchestrator.run.directory import RunDirectory
from orchestrator.run.resume_command import address_override, literal
from orchestrator.run.trust import check_travelling
from orchestrator.tracking.credentials import put_away
from search_spaces.errors import ConfigurationError

_CHANGEABLE = ("cluster", "tracking")
"""Sections that may differ when a run goes on: where it computes and where it is recorded, never what."""
_OWN_KEYS = ("resume", "repair", "allow")
"""Keys that only the command line decides, never a run directory."""
_EXTENSIBLE = {
    "population": ("population.generations",),
    "search": tuple(
        f"search.{key}"
        for key in (
            *("trials", "seconds", "fidelity_units", "target", "patience", "retries"),
            *("finalists", "finalist_seeds", "export_optuna"),
        )
    ),
    "benchmark": tuple(
        f"benchmark.{key}"
        for key in ("methods", "suites", "tasks", "seeds", "block_seconds", "mixed_versions")
    ),
    "preference": ("preference.questions", "preference.ask", "preference.port"),
}
"""Further keys by kind of study: a run may be extended by them, or write more, and keeps what it computed."""
_VALUES = (*_EXTENSIBLE["population"], *_EXTENSIBLE["search"], *_EXTENSIBLE["preference"])
"""Those that are single values."""


@dataclass(frozen=True)
class ExtendedRun:
    """A run that goes on, its configuration as it was before.

    Attributes:
        directory: the run directory.
        config: the configuration to go on with, the password in ``tracking.uri`` masked.
        before: what its ``config.yaml`` held.
    """

    directory: RunDirectory
    config: Mapping[str, Any]
    before: str

    def discard(self) -> None:
        """Undo the extension of a run that was then refused."""
        if self.directory.config.read_text(encoding="utf-8") != self.before:
            keep_config(self.directory.config, self.before)


def extend_run(config: Mapping[str, Any], path: Path) -> ExtendedRun:
    """Keep what ``config`` adds to the run in ``path``: the part that is about its kind of study.

    Args:
        config: the resolved configuration of a run that goes on, valid.
    """
    directory = RunDirectory(path)
    before = _without_password(directory)
    kept, kind = parse(before), config["study"]["kind"]
    if kind in _EXTENSIBLE and kept[kind] != config[kind]:
        kept[kind] = config[kind]
        keep_config(directory.config, yaml.safe_dump(kept, sort_keys=False, allow_unicode=True))
    return ExtendedRun(directory, put_away(config, directory), before)


def resumed_config(composed: Composed) -> Any:
    """The configuration of the run that ``resume`` names, with the overrides that may go with it.

    Raises:
        ConfigurationError: there is no run in that directory, its configuration is damaged, or an override
            would change what the run computes.
    """
    directory = RunDirectory(named_directory("resume", composed.config.resume))
    if not directory.config.is_file():
        raise ConfigurationError(
            "resume", f"a run directory (with {directory.config.name})", composed.config.resume
        )
    try:
        kept = parse(directory.config.read_text(encoding="utf-8"))
        config = typed(_literal(kept))
        kind = config.study.kind.name
    except (*COMPOSITION_ERRORS, OSError) as error:
        raise ConfigurationError(
            "resume", "a run with a valid config.yaml", str(directory.path), str(error)
        ) from error
    # A directory that somebody else made must not grant itself what it may run.
    config.allow = composed.config.allow
    config.repair = composed.config.repair
    extensible = _EXTENSIBLE.get(kind, ())
    changed = _changed(composed.overrides, (*_CHANGEABLE, *extensible))
    if not {"cluster", "cluster.address"} & {*changed}:
        _check_address(config.cluster.address)
    for key in changed:
        value = OmegaConf.select(composed.config, key)
        OmegaConf.update(config, key, value, merge=False)
    check_travelling(_travelling(config), _travelling(composed.config), tuple(config.allow))
    config.run.dir = literal(str(directory.path))
    return config


def _travelling(config: Any) -> dict[str, Any]:
    values = {key: OmegaConf.select(config, f"cluster.{key}") for key in TRAVELLING}
    return {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in values.items()
    }


def _without_password(directory: RunDirectory) -> str:
    """What ``config.yaml`` holds; a password that an earlier version kept in it is put away first."""
    text = directory.config.read_text(encoding="utf-8")
    kept = parse(text)
    uri = kept.get("tracking", {}).get("uri")
    if uri is None or not has_password(uri):
        return text
    masked: str = yaml.safe_dump(put_away(kept, directory), sort_keys=False, allow_unicode=True)
    keep_config(directory.config, masked)
    return masked


def _check_address(address: str | None) -> None:
    """Ray runs what the cluster that it connects to sends it, so that nobody else may choose the cluster."""
    host = (address or "auto").removeprefix("ray://").rpartition(":")[0].strip("[]")
    if host not in ("", "localhost", "127.0.0.1", "::1"):
        expected = "the cluster's address on the command line, since resume= takes no other machine's"
        raise ConfigurationError(
            "cluster.address", expected, address, f"if it is yours, add {address_override(str(address))}"
        )


def _literal(value: Any) -> Any:
    """The kept values, taken literally: a run directory must not read our environment."""
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return literal(value) if isinstance(value, str) else value


def _changed(overrides: Sequence[str], changeable: Sequence[str]) -> list[str]:
    """The keys that the overrides of a resumed run set, groups (``cluster=ray``) before single values."""
    keys = [(_key_of(override), override) for override in overrides]
    keys = [(key, override) for key, override in keys if key not in _OWN_KEYS]
    for key, override in keys:
        if not any(f"{key}.".startswith(f"{section}.") for section in changeable):
            allowed = " and ".join(
                section if section in _VALUES else f"{section}.*" for section in changeable
            )
            raise ConfigurationError(
                "resume", f"only {allowed} besides it", override, "a run keeps its own config"
            )
    return sorted((key for key, _ in keys), key=lambda key: key.count("."))


def _key_of(override: str) -> str:
    """Where an override puts its value: ``group@key=choice`` below ``key``."""
    return override.lstrip("+").partition("=")[0].rpartition("@")[2]
