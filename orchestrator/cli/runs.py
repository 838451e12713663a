"""Run directories: making one for a new run, and finding the configuration of one that goes on."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from orchestrator.cli.compose import Composed, typed
from orchestrator.cli.errors import COMPOSITION_ERRORS
from orchestrator.config.environment import TRAVELLING
from orchestrator.config.passwords import has_password
from orchestrator.config.texts import PATH, is_path
from orchestrator.config.yaml_text import parse
from orchestrator.run.directory import RunDirectory
from orchestrator.run.resume_command import address_override, literal, resume_command
from orchestrator.run.trust import check_travelling
from orchestrator.tracking.credentials import put_away, write_private
from search_spaces.errors import ConfigurationError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CHANGEABLE = ("cluster", "tracking")
"""Sections that may differ when a run goes on: where it computes and where it is recorded, never what."""
_OWN_KEYS = ("resume", "repair", "allow")
"""Keys that only the command line decides, never a run directory."""
_EXTENSIBLE = {
    "population": ("population.generations",),
    "search": tuple(
        f"search.{key}" for key in ("trials", "seconds", "fidelity_units", "target", "patience", "retries")
    ),
    "benchmark": tuple(
        f"benchmark.{key}"
        for key in ("methods", "suites", "tasks", "seeds", "block_seconds", "mixed_versions")
    ),
}
"""Further keys by kind of study: a run may be extended by them, and keeps its computed results."""
_VALUES = (*_EXTENSIBLE["population"], *_EXTENSIBLE["search"])
"""Those that are single values."""


@dataclass(frozen=True)
class NewRun:
    """A run directory made for a run that has not started.

    Attributes:
        directory: the run directory.
        made: the directories that had to be made for it, outermost first.
    """

    directory: RunDirectory
    made: tuple[Path, ...]

    def discard(self) -> None:
        """Remove what was made for a run that was then refused, unless its journal has begun."""
        journal = self.directory.journal
        if journal.exists() and journal.stat().st_size:
            return
        if self.directory.path in self.made:
            shutil.rmtree(self.directory.path)
        else:
            run = self.directory
            own = (run.config, run.tracking, run.credentials, run.provenance, journal)
            for file in own:
                file.unlink(missing_ok=True)
        _remove_empty(self.made)


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
            _write(self.directory.config, self.before)


def start_run(config: Mapping[str, Any], now: datetime) -> tuple[NewRun, dict[str, Any]]:
    """Make the run's directory and keep the configuration there.

    Args:
        config: the resolved configuration, valid.
        now: names the directory where ``run.dir`` does not.

    Returns:
        The run and its configuration, ``run.dir`` filled in, the password in ``tracking.uri`` masked.

    Raises:
        ConfigurationError: ``run.dir`` holds a run already, or cannot be written.
    """
    given = config["run"]["dir"]
    path = _path("run.dir", given) if given else _dated(config, now).absolute()
    if given and (RunDirectory(path).config.exists() or RunDirectory(path).journal.exists()):
        raise _taken(given, path)
    missing = [parent for parent in reversed(path.parents) if not parent.exists()]
    made: tuple[Path, ...] = ()
    try:
        made = _make_given(path, missing) if given else _make_numbered(path, missing)
        directory = RunDirectory(made[-1] if made else path)
        _claim(directory.config, given, path)
        complete = {**config, "run": {**config["run"], "dir": str(directory.path)}, "resume": None}
        complete = put_away(complete, directory)
        _write(directory.config, yaml.safe_dump(complete, sort_keys=False, allow_unicode=True))
    except OSError as error:
        _discard_claim(made[-1] if made else path)
        _remove_empty(made or missing)
        reason = error.strerror or str(error)
        raise ConfigurationError("run.dir", "a directory that can be written", str(path), reason) from error
    return NewRun(directory, made), complete


def _claim(config: Path, given: str | None, path: Path) -> None:
    """Make the configuration's file: of two studies that start in one directory only one can."""
    try:
        config.open("x").close()
    except FileExistsError as error:
        raise _taken(given or str(path), path) from error


def _discard_claim(path: Path) -> None:
    """Remove a configuration's file that nothing could be written to."""
    with contextlib.suppress(OSError):
        config = RunDirectory(path).config
        if not config.stat().st_size:
            config.unlink()


def _taken(given: str, path: Path) -> ConfigurationError:
    hint = f"to go on with it: {resume_command(path)}"
    return ConfigurationError("run.dir", "a directory without a run", given, hint)


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
        _write(directory.config, yaml.safe_dump(kept, sort_keys=False, allow_unicode=True))
    return ExtendedRun(directory, put_away(config, directory), before)


def resumed_config(composed: Composed) -> Any:
    """The configuration of the run that ``resume`` names, with the overrides that may go with it.

    Raises:
        ConfigurationError: there is no run in that directory, its configuration is damaged, or an override
            would change what the run computes.
    """
    directory = RunDirectory(_path("resume", composed.config.resume))
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
    _write(directory.config, masked)
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


def _path(key: str, given: str) -> Path:
    if not is_path(given):
        raise ConfigurationError(key, PATH, given)
    if _URL.match(given):
        hint = "mount an object storage as one, or copy the run there once it has ended"
        raise ConfigurationError(key, "a folder, not a URL", given, hint)
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigurationError(key, "~ or ~user with a home directory", given) from error


def _dated(config: Mapping[str, Any], now: datetime) -> Path:
    return Path("runs", config["study"]["name"], f"{now:%Y%m%d-%H%M%S}")


def _make_given(path: Path, missing: Sequence[Path]) -> tuple[Path, ...]:
    """Make ``path`` if need be; returns what had to be made, outermost first."""
    existed = path.exists()
    path.mkdir(parents=True, exist_ok=True)
    return () if existed else (*missing, path)


def _make_numbered(path: Path, missing: Sequence[Path]) -> tuple[Path, ...]:
    """Like :func:`_make_given`, but always a new directory, numbered if another run was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with contextlib.suppress(FileExistsError):
            candidate.mkdir()
            return (*missing, candidate)
    raise AssertionError("unreachable")


def _remove_empty(paths: Sequence[Path]) -> None:
    for path in reversed(paths):
        with contextlib.suppress(OSError):  # not empty, or never made
            path.rmdir()


def _write(path: Path, text: str) -> None:
    if has_password(text):  # of something else than the tracking server, such as a workload's data
        write_private(path, text)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
