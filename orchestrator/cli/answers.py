"""Answers that need no study: help, the version, and what Hydra itself prints."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.cli.arguments import Arguments
from orchestrator.cli.listing import help_text, search_path


def answer(arguments: Arguments) -> bool:
    """Print what was asked for; returns False, and prints nothing, if a study was asked for.

    Imports no more than it must, since tab completion waits.
    """
    import_from(arguments.config_dir)
    if arguments.show == "hydra":
        _let_hydra_answer(arguments)
    elif arguments.show == "version":
        sys.stdout.write(f"orchestrator {_version()}\n")
    elif arguments.show == "help" or not arguments.overrides:
        sys.stdout.write(help_text(search_path(arguments.config_dir)))
    else:
        return False
    return True


def import_from(config_dir: Path | None) -> None:
    """Let workloads be found in the directory of the user's studies, and beside it.

    They come last, so that no folder there hides an installed package.
    """
    if config_dir is None:
        return
    for directory in (config_dir.absolute(), config_dir.absolute().parent):
        if str(directory) not in sys.path:
            sys.path.append(str(directory))


def _let_hydra_answer(arguments: Arguments) -> None:
    from orchestrator.cli.hydra_call import print_with_hydra

    try:
        print_with_hydra(arguments.flags, arguments.overrides)
    except Exception as error:
        from orchestrator.cli.errors import COMPOSITION_ERRORS, translate

        if not isinstance(error, COMPOSITION_ERRORS):
            raise
        raise translate(error) from error


def _version() -> str:
    from importlib.metadata import version

    return version("orchestrator")
