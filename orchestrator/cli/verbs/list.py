"""``list``: the studies, or the choices of other config groups, with one line each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.cli.arguments import existing_directory
from orchestrator.cli.listing import choices, conf_dir, groups, search_path, table
from orchestrator.cli.refusals import OneLineParser
from orchestrator.text import terminal_width

_ABOUT = (
    "List the studies, or the choices of other groups: optimizer, population (the methods), suite, workload, "
    "population/exploit, ... With several groups each has a heading."
)
ALIASES = {
    "method": "population",
    "methods": "population",
    "optimizers": "optimizer",
    "studies": "study",
    "suites": "suite",
    "workloads": "workload",
}
"""What people call some groups."""


def main(argv: Sequence[str]) -> int:
    """Print names and descriptions."""
    parser = OneLineParser(prog="python -m orchestrator list", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("group", nargs="*", help="a config group (default: study)")
    config_dir = "a directory with your own studies and choices"
    parser.add_argument("--config-dir", "-cd", type=existing_directory, metavar="DIR", help=config_dir)
    given = parser.parse_args(argv)
    wanted = [ALIASES.get(group, group) for group in given.group] or ["study"]
    lists = {group: _listed(group, given.config_dir) for group in wanted}
    headed = (f"{group}:\n{listed}" if len(lists) > 1 else listed for group, listed in lists.items())
    sys.stdout.write("\n\n".join(headed) + "\n")
    return 0


def _listed(group: str, config_dir: Path | None) -> str:
    """Names and descriptions of a group's choices.

    Raises:
        ConfigurationError: there is no such group.
    """
    found = choices(search_path(config_dir), group)
    if not found:
        from search_spaces.errors import ConfigurationError
        from search_spaces.reading import closest

        known = groups(conf_dir())
        expected = f"one of {', '.join(known)}"
        raise ConfigurationError("group", expected, group, closest(group, known))
    return table(found, terminal_width())
