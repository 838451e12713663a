"""``list``: the studies, or the choices of another config group."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from orchestrator.cli.arguments import existing_directory
from orchestrator.cli.listing import choices, conf_dir, groups, search_path, table
from orchestrator.cli.refusals import OneLineParser

_ABOUT = "List the studies, or the choices of another group, such as optimizer or population/exploit."


def main(argv: Sequence[str]) -> int:
    """Print names and descriptions."""
    parser = OneLineParser(prog="python -m orchestrator list", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("group", nargs="?", default="study", help="a config group (default: %(default)s)")
    config_dir = "a directory with your own studies and choices"
    parser.add_argument("--config-dir", "-cd", type=existing_directory, metavar="DIR", help=config_dir)
    given = parser.parse_args(argv)
    found = choices(search_path(given.config_dir), given.group)
    if not found:
        from search_spaces.errors import ConfigurationError
        from search_spaces.reading import closest

        known = groups(conf_dir())
        expected = f"one of {', '.join(known)}"
        raise ConfigurationError("group", expected, given.group, closest(given.group, known))
    sys.stdout.write(table(found) + "\n")
    return 0
