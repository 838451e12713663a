"""Making a directory for a new run."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from orchestrator.cli.run_config import keep_config, named_directory
from orchestrator.run.directory import RunDirectory
from orchestrator.run.resume_command import resume_command
from orchestrator.tracking.credentials import put_away
from search_spaces.errors import ConfigurationError

_PROGRAMS = ("workloads.command.Command", "workloads.command.workload.Command")


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
    path = named_directory("run.dir", given) if given else _dated(config, now).absolute()
    if given and (RunDirectory(path).config.exists() or RunDirectory(path).journal.exists()):
        raise _taken(given, path)
    missing = [parent for parent in reversed(path.parents) if not parent.exists()]
    made: tuple[Path, ...] = ()
    try:
        made = _make_given(path, missing) if given else _make_numbered(path, missing)
        directory = RunDirectory(made[-1] if made else path)
        _claim(directory.config, given, path)
        complete = {**config, "run": {**config["run"], "dir": str(directory.path)}, "resume": None}
        complete = put_away(_placed(complete), directory)
        keep_config(directory.config, yaml.safe_dump(complete, sort_keys=False, allow_unicode=True))
    except OSError as error:
        _discard_claim(made[-1] if made else path)
        _remove_empty(made or missing)
        reason = error.strerror or str(error)
        raise ConfigurationError("run.dir", "a directory that can be written", str(path), reason) from error
    return NewRun(directory, made), complete


def _placed(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the folder in which a program works: a resume may begin in another one.

    With ``cluster.working_dir`` it is each node's own copy.
    """
    workload = config["workload"]
    if workload.get("_target_") not in _PROGRAMS or config["cluster"]["working_dir"] is not None:
        return config
    folder = workload.get("directory") or "."
    return {**config, "workload": {**workload, "directory": str(Path(folder).expanduser().absolute())}}


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
