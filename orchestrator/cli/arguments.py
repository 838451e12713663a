"""The arguments of the verbs that compose a study, read before anything heavy is imported."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.refusals import OneLineParser


@dataclass(frozen=True)
class Arguments:
    """A parsed command line.

    Attributes:
        overrides: the ``key=value`` arguments, in Hydra's grammar.
        flags: further arguments for Hydra.
        multirun: whether the overrides may sweep.
        show: what to print instead of composing a study: ``help`` (the list of studies), ``version``, or
            ``hydra`` for what Hydra itself answers (``--cfg``, ``--info``, tab completion); None composes.
        config_dir: a directory with the user's own studies.
    """

    overrides: tuple[str, ...]
    flags: tuple[str, ...]
    multirun: bool
    show: str | None
    config_dir: Path | None


def parse(argv: Sequence[str]) -> Arguments:
    """Parse ``argv`` (without program and verb); flags and overrides may come in any order.

    Raises:
        SystemExit: with code 2 and one line on stderr, after an unknown or incomplete flag.
    """
    parser = OneLineParser(add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--config-dir", "-cd", type=existing_directory)
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--package", "-p")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--multirun", "-m", action="store_true")
    mode.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    mode.add_argument("--info", "-i", nargs="?", const="all")
    mode.add_argument("--shell-completion", "-sc", action="store_true")
    mode.add_argument("--hydra-help", action="store_true")
    given = parser.parse_intermixed_args(list(argv))
    return Arguments(
        overrides=tuple(given.overrides),
        flags=tuple(_flags(given)),
        multirun=given.multirun,
        show=_show(given),
        config_dir=given.config_dir,
    )


def existing_directory(text: str) -> Path:
    """The type of an argument that names one.

    Raises:
        ArgumentTypeError: there is no such directory.
    """
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"expected an existing directory, got {text!r}")
    return Path(text)


def _show(given: argparse.Namespace) -> str | None:
    if given.version:
        return "version"
    if given.cfg or given.info or given.shell_completion or given.hydra_help:
        return "hydra"
    return "help" if given.help else None


def _flags(given: argparse.Namespace) -> list[str]:
    """Hydra's own flags, without ``--multirun``: sweeps are expanded before Hydra is called."""
    values = {
        "--config-dir": given.config_dir,
        "--package": given.package,
        "--cfg": given.cfg,
        "--info": given.info,
    }
    switches = {
        "--resolve": given.resolve,
        "--shell-completion": given.shell_completion,
        "--hydra-help": given.hydra_help,
    }
    flags = [part for flag, value in values.items() if value is not None for part in (flag, str(value))]
    return flags + [flag for flag, on in switches.items() if on]
