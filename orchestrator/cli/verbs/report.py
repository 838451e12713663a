"""``report``: tables, pictures and page of stored runs, once more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.cli.refusals import OneLineParser

_ABOUT = (
    "Write the tables, pictures and page of a run again, from its journal and stored results alone; or one "
    "report of several benchmark runs."
)


def main(argv: Sequence[str]) -> int:
    """Write a report and print where it is."""
    parser = OneLineParser(prog="python -m orchestrator report", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("run", nargs="+", type=Path, help="run directory; several of benchmark studies")
    output = "folder that is written to (default: results/ in the run directory)"
    parser.add_argument("--output", type=Path, metavar="DIR", help=output)
    given = parser.parse_args(argv)
    sys.stdout.write(f"{_written(given.run, given.output)}\n")
    return 0


def _written(runs: Sequence[Path], output: Path | None) -> Path:
    """Where the page is. Imports what it needs only now, so that help comes at once."""
    from orchestrator.reporting.stored import report_again
    from search_spaces.errors import ConfigurationError

    if output is None and len(runs) > 1:
        raise ConfigurationError("--output", "a directory for the report of several runs", None)
    return report_again(runs, runs[0] / "results" if output is None else output)
