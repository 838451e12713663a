"""The one call of Hydra: it composes, prints and completes; it neither runs nor logs anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from orchestrator.cli.listing import conf_dir
from orchestrator.config import Root


def call_hydra(flags: Sequence[str], overrides: Sequence[str]) -> list[DictConfig]:
    """Call Hydra's main function with these arguments.

    Returns:
        The configuration that it composed; nothing where a flag had it print something instead.

    Raises:
        HydraException, OmegaConfBaseException, YAMLError, ValueError: the arguments or a file are wrong.
    """
    ConfigStore.instance().store("schema", Root)
    composed: list[DictConfig] = []
    decorate = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
    with _command_line([*flags, *overrides]), _raising():
        decorate(composed.append)()
    return composed


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
