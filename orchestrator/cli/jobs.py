"""The runs that a command line asks for: composed, and refused if anything is wrong with them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from orchestrator.cli.arguments import Arguments
from orchestrator.cli.compose import Composed, compose, resolved
from orchestrator.cli.errors import translate
from orchestrator.cli.listing import options, search_path
from orchestrator.cli.resumed_run import resumed_config
from orchestrator.config.environment import taken_over
from orchestrator.config.moved import renamed
from orchestrator.config.validate import check_values
from orchestrator.run.trust import Trust, check_targets
from search_spaces.errors import ConfigurationError
from search_spaces.reading import Nothing


@dataclass(frozen=True)
class Program:
    """How one kind of study is checked and run: ``module:function``, imported when it is needed.

    Attributes:
        assemble: ``(config) -> parts``; raises ``ConfigurationError`` where ``config`` makes no study.
        preflight: ``(config, parts) -> findings``; raises ``ConfigurationError`` where it would fail.
        run: ``(config, run_dir, resume) -> exit code``.
    """

    assemble: str
    preflight: str
    run: str

    @classmethod
    def of(cls, kind: str) -> Program:
        """The program of a kind of study."""
        package = f"orchestrator.{kind}"
        return cls(
            f"{package}.assemble:assemble_{kind}",
            f"{package}.preflight:preflight",
            f"orchestrator.studies.{kind}:run",
        )


PROGRAMS = {kind: Program.of(kind) for kind in ("population", "search", "benchmark", "preference")}


@dataclass(frozen=True)
class Job:
    """One run that is ready to start: everything about its configuration has been checked.

    Attributes:
        parts: what the study is made of.
    """

    config: Mapping[str, Any]
    overrides: tuple[str, ...]
    resume: bool
    parts: Any


def prepared(arguments: Arguments) -> list[Job]:
    """The runs in the order of the sweep; nothing has been started or written.

    Raises:
        ConfigurationError: the overrides, a configuration file or a value is wrong.
    """
    try:
        return [_prepare(composed, arguments) for composed in compose(arguments)]
    except OmegaConfBaseException as error:  # an interpolation in a key that is read before all are resolved
        raise translate(error) from error


def _prepare(composed: Composed, arguments: Arguments) -> Job:
    """Refuse everything that can be refused before anything is started or written."""
    resume = composed.config.resume is not None
    if composed.config.repair and not resume:
        raise ConfigurationError("repair", "resume=<run directory> beside it", composed.config.repair)
    if not resume and OmegaConf.is_missing(composed.config.study, "name"):
        known = ", ".join(options(search_path(arguments.config_dir), "study"))
        raise ConfigurationError("study", f"one of {known}", Nothing(), "choose one with +study=<name>")
    _check_space(composed)
    config = renamed(resolved(resumed_config(composed) if resume else composed.config))
    given = arguments.config_dir
    config["run"]["config_dir"] = str(given.absolute()) if given else None
    check_values(config)
    kind = config["study"]["kind"]
    if kind not in PROGRAMS:
        raise ConfigurationError("study.kind", f"one of {', '.join(PROGRAMS)}", kind)
    if kind != "benchmark":
        _check_chosen(config, arguments.config_dir)
    with taken_over(config["cluster"]["env"], os.environ):
        check_targets(config, _trust(config, resume))
        parts = load(PROGRAMS[kind].assemble)(config)
    return Job(config, composed.overrides, resume, parts)


def _check_space(composed: Composed) -> None:
    """Refuse to change a workload's own search space where another one is chosen, which replaces it."""
    for override in composed.overrides:
        key = override.lstrip("+~").partition("=")[0]
        if composed.config.search_space and f"{key}.".startswith("workload.space."):
            expected = "no change where search_space is chosen, which replaces it"
            hint = f"change {key.removeprefix('workload.').replace('space', 'search_space', 1)} instead"
            raise ConfigurationError(key, expected, override, hint)


def _check_chosen(config: Mapping[str, Any], config_dir: Path | None) -> None:
    """Refuse a study that does not say what is trained, or what may vary."""
    hints = {
        "workload": "choose one with workload=<name>; --config-dir adds your own",
        "search_space": "choose one with search_space=<name>, or give the workload its own: workload.space",
    }
    for key, hint in hints.items():
        if not config[key]:
            known = ", ".join(options(search_path(config_dir), key))
            raise ConfigurationError(key, f"one of {known}", Nothing(), hint)


def _trust(config: Mapping[str, Any], resume: bool) -> Trust:
    run = config["run"]
    folders = (Path.cwd(), *((Path(run["config_dir"]),) if run["config_dir"] else ()))
    return Trust(folders, tuple(config["allow"]), Path(run["dir"]) if resume else None)


def load(path: str) -> Any:
    """What ``module:name`` stands for."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
