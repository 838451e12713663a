"""``replay``: train one model from scratch with what a study found, over several seeds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.cli.refusals import OneLineParser, whole

_ABOUT = (
    "Train one model from scratch with the schedule of a population's best weights, or with the "
    "configuration of a search's best trial, over several seeds, and say whether its score holds. The models "
    "train one after another in this process."
)
_SEEDS = 5


def main(argv: Sequence[str]) -> int:
    """Replay a study; writes ``replay.csv`` into its results."""
    parser = OneLineParser(prog="python -m orchestrator replay", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("run", type=Path, help="run directory of a complete population study or search")
    others = "cluster.* and allow, as they go with resume"
    parser.add_argument("overrides", nargs="*", metavar="key=value", help=others)
    parser.add_argument(
        "--seeds", type=whole, default=_SEEDS, metavar="N", help=f"models (default: {_SEEDS})"
    )
    parser.add_argument(
        "--trial", type=whole, metavar="N", help="which of a search's trials (default: the best)"
    )
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="where your own modules are")
    given = parser.parse_intermixed_args(argv)
    return _replay(given.run, given.seeds, given.trial, given.config_dir, given.overrides)


def _replay(
    run: Path, seeds: int, trial: int | None, config_dir: Path | None, overrides: Sequence[str]
) -> int:
    """Imports what it needs only now, so that help comes at once."""
    from orchestrator.cli.arguments import parse
    from orchestrator.cli.jobs import prepared
    from orchestrator.run.resume_command import quoted
    from orchestrator.studies.replay import replay_study
    from search_spaces.errors import ConfigurationError

    if seeds < 1:
        raise ConfigurationError("--seeds", "at least 1", seeds)
    own = ("--config-dir", str(config_dir)) if config_dir else ()
    try:
        (job,) = prepared(parse([*own, f"resume={quoted(str(run))}", *overrides]))
    except ConfigurationError as error:
        if error.key != "resume":
            raise
        raise ConfigurationError("replay", error.expected, error.found, error.hint) from error
    said: Any = sys.stdout.write
    return replay_study(job.config, job.parts, seeds, lambda line: said(f"{line}\n"), trial)
