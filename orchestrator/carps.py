"""``python -m orchestrator.carps <log directory> <run directory>``: carps' results as a run of ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.command_line import OneLineParser, refuse
from orchestrator.interrupt import INTERRUPTED
from search_spaces.errors import ConfigurationError


def main(argv: Sequence[str]) -> int:
    """Read logs of carps 1.1; returns the exit code: 0 done, 2 refused, 130 interrupted."""
    parser = OneLineParser(
        prog="python -m orchestrator.carps",
        description="Read logs of carps 1.1 into a new run directory, so that its runs and ours stand in one "
        "report: python -m orchestrator.report <run directory> <another one> --output <directory>",
        allow_abbrev=False,
    )
    parser.add_argument("logs", type=Path, help="a directory with logs at any depth (trial_logs.jsonl)")
    parser.add_argument("run", type=Path, help="the run directory: new or empty")
    given = parser.parse_args(argv)
    try:
        from orchestrator.benchmark.carps_logs import import_carps

        imported = import_carps(given.logs, given.run)
    except (ConfigurationError, OSError) as error:
        return refuse(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    for folder, reason in imported.skipped:
        sys.stderr.write(f"skipped {folder}: {reason}\n")
    sys.stdout.write(
        f"{imported.cells} cells ({imported.failed} failed or not complete) with {imported.evaluations} "
        f"evaluations, of {len(imported.methods)} methods on {len(imported.tasks)} tasks\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
