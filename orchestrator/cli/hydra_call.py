"""The calls of Hydra: it composes, prints and completes; it neither runs, logs nor makes anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from orchestrator.cli.listing import conf_dir
from orchestrator.cli.sources import check_files
from orchestrator.config.passwords import masked
from orchestrator.config.schema import Root
from orchestrator.run.resume_command import quoted

_VERSION = "1.3"
_CONFIG = "config"
_SEARCH_PATH = "hydra.searchpath"


def compose(config_dir: Path | None, overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration that these overrides give, as plain data; none of them may sweep.

    Interpolations are not yet resolved.

    Hydra's main function would also make the callbacks and the logging that a study's file can name.

    Args:
        config_dir: a directory that is searched besides ours.

    Raises:
        HydraException, OmegaConfBaseException, YAMLError, ValueError: the overrides or a file are wrong.
    """
    _register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base=_VERSION):
        config = hydra.compose(_CONFIG, _with_directory(config_dir, overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "hydra"}


@cache
def _register() -> None:
    """Tell Hydra of the schema and of how files are read; it keeps both, and looks at the schema for long."""
    ConfigStore.instance().store("orchestrator_schema", Root)
    check_files()


def _with_directory(directory: Path | None, overrides: Sequence[str]) -> list[str]:
    """The overrides with ``directory`` before other places that Hydra shall search."""
    if directory is None:
        return [*overrides]
    key = f"{_SEARCH_PATH}="
    others = [override for override in overrides if not override.startswith(key)]
    given = [override.removeprefix(key) for override in overrides if override.startswith(key)]
    more = given[-1].strip().removeprefix("[").removesuffix("]") if given else ""
    places = [quoted(f"file://{directory.absolute()}"), *([more] if more else [])]
    return [*others, f"{key}[{','.join(places)}]"]


def print_with_hydra(flags: Sequence[str], overrides: Sequence[str]) -> None:
    """Call Hydra's main function with flags that have it print something; passwords are masked.

    Raises:
        HydraException, OmegaConfBaseException, YAMLError, ValueError: the arguments or a file are wrong.
    """
    _register()
    decorate = hydra.main(version_base=_VERSION, config_path=str(conf_dir()), config_name=_CONFIG)
    printed = StringIO()
    try:
        with _command_line([*flags, *overrides]), _raising(), redirect_stdout(printed):
            decorate(_run)()
    finally:
        sys.stdout.write(masked(printed.getvalue()))


def _run(config: DictConfig) -> None:
    """Hydra's main function wants something to run."""


@contextmanager
def _command_line(arguments: list[str]) -> Iterator[None]:
    """Hydra's main function reads its arguments from ``sys.argv`` alone."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _raising() -> Iterator[None]:
    """Hydra prints errors and exits unless this variable is set; then it raises them."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before
