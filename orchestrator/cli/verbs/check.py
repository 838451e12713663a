"""``check``: check everything about the studies that the overrides compose, and run none."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from orchestrator.cli.answers import answer
from orchestrator.cli.arguments import parse
from orchestrator.config.environment import taken_over
from orchestrator.config.passwords import masked


def main(argv: Sequence[str]) -> int:
    """Try every study's workload and say what has been checked; starts nothing."""
    arguments = parse(argv)
    if answer(arguments):
        return 0
    from orchestrator.cli.jobs import PROGRAMS, load, prepared

    for job in prepared(arguments):
        study = job.config["study"]
        with taken_over(job.config["cluster"]["env"], os.environ):
            findings = load(PROGRAMS[study["kind"]].preflight)(job.config, job.parts)
        tried = "; ".join(findings.checked) or "no workload tried"
        said = [f"ok: {study['name']} ({study['kind']}): configuration; {tried}", *findings.lines]
        sys.stdout.write(masked("".join(f"{' '.join(line.split())}\n" for line in said)))
    return 0
