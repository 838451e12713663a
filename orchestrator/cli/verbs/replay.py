"""``replay``: train one model from scratch with the schedule that a population found, over several seeds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.cli.refusals import OneLineParser

_ABOUT = (
    "Train one model from scratch with the schedule of a population study's best weights, over several "
    "seeds, and say whether its score holds. The models train one after another in this process."
)
_SEEDS = 5


def main(argv: Sequence[str]) -> int:
    """Replay a study; writes ``replay.csv`` into its results."""
    parser = OneLineParser(prog="python -m orchestrator replay", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("run", type=Path, help="run directory of a complete population study")
    parser.add_argument("--seeds", type=int, default=_SEEDS, metavar="N", help=f"models (default: {_SEEDS})")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="where your own modules are")
    allowed = "what the run may use besides, as allow=[...] does for resume"
    parser.add_argument("--allow", default="", metavar="NAME,NAME", help=allowed)
    given = parser.parse_args(argv)
    return _replay(given.run, given.seeds, given.config_dir, given.allow)


def _replay(run: Path, seeds: int, config_dir: Path | None, allowed: str) -> int:
    """Imports what it needs only now, so that help comes at once."""
    from orchestrator.cli.arguments import parse
    from orchestrator.cli.jobs import prepared
    from orchestrator.run.resume_command import quoted
    from orchestrator.studies.replay import replay_study
    from search_spaces.errors import ConfigurationError

    if seeds < 1:
        raise ConfigurationError("--seeds", "at least 1", seeds)
    own = ("--config-dir", str(config_dir)) if config_dir else ()
    (job,) = prepared(parse([*own, f"resume={quoted(str(run))}", f"allow=[{allowed}]"]))
    said: Any = sys.stdout.write
    return replay_study(job.config, job.parts, seeds, lambda line: said(f"{line}\n"))
