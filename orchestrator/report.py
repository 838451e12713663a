"""``python -m orchestrator.report``: the report of benchmark studies, from their stored results alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.command_line import OneLineParser, refuse
from orchestrator.interrupt import INTERRUPTED

_ABOUT = "Write the report of a benchmark study, or of several put together, from stored results alone."


def main(argv: Sequence[str]) -> int:
    """Write a report and print where it is; returns the exit code: 0 done, 2 refused, 130 interrupted."""
    parser = OneLineParser(prog="python -m orchestrator.report", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("run", nargs="+", type=Path, help="run directory of a benchmark study")
    output = "folder that is written to (default: results/ in the run directory)"
    parser.add_argument("--output", type=Path, metavar="DIR", help=output)
    given = parser.parse_args(argv)
    try:
        return _write(given.run, given.output)
    except KeyboardInterrupt:
        return INTERRUPTED


def _write(runs: Sequence[Path], output: Path | None) -> int:
    """Imports what it needs only now, so that help comes at once."""
    from orchestrator.analysis.report import write_report
    from search_spaces.errors import ConfigurationError

    try:
        if output is None and len(runs) > 1:
            raise ConfigurationError("--output", "a directory for the report of several runs", None)
        page = write_report(runs, runs[0] / "results" if output is None else output)
    except (ConfigurationError, OSError) as error:
        return refuse(error)
    sys.stdout.write(f"{page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
