"""``carps <log directory> <run directory>``: carps' results as a run of ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.cli.refusals import OneLineParser

_ABOUT = (
    "Read logs of carps 1.1 into a new run directory, so that its runs and ours stand in one report: "
    "python -m orchestrator report <run directory> <another one> --output <directory>"
)


def main(argv: Sequence[str]) -> int:
    """Read the logs and print what was found."""
    parser = OneLineParser(prog="python -m orchestrator carps", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("logs", type=Path, help="a directory with logs at any depth (trial_logs.jsonl)")
    parser.add_argument("run", type=Path, help="the run directory: new or empty")
    given = parser.parse_args(argv)

    from orchestrator.benchmark.carps_logs import import_carps  # only now, so that help comes at once

    imported = import_carps(given.logs, given.run)
    for folder, reason in imported.skipped:
        sys.stderr.write(f"skipped {folder}: {reason}\n")
    sys.stdout.write(
        f"{imported.cells} cells ({imported.failed} failed or not complete) with {imported.evaluations} "
        f"evaluations, of {len(imported.methods)} methods on {len(imported.tasks)} tasks\n"
    )
    return 0
