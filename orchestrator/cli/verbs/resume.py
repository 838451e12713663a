"""``resume <run directory>``: continue a run, as ``resume=<run directory>`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.cli.arguments import parse
from orchestrator.cli.verbs.run import carry_out
from orchestrator.run.resume_command import quoted


def main(argv: Sequence[str]) -> int:
    """Continue the run; overrides that may go with it stand behind its directory."""
    arguments = parse(argv)
    if arguments.overrides:
        directory, *others = arguments.overrides
        arguments = replace(arguments, overrides=(f"resume={quoted(directory)}", *others))
    elif arguments.show is None:
        from search_spaces.errors import ConfigurationError
        from search_spaces.reading import Nothing

        raise ConfigurationError("command line", "a run directory after resume", Nothing())
    return carry_out(arguments)
